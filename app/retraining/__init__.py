"""Retraining: start, follow and schedule runs; REST API and pages for operators."""
