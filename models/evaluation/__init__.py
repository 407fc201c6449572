"""Metrics, grouped splits and the evaluation report of a bundle."""
