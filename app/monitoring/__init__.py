"""Drift, missing and refused examinations, outcomes and live calibration by hospital and bundle; notices."""
