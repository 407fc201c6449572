"""Drift, missing and refused parts, outcomes and live calibration, by site and bundle; notices to operators."""
