"""Retraining: start, watch and schedule runs; REST and pages for operators."""
