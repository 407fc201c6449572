"""Fusion of both examinations, on births and on cohorts."""
