"""Attacks on the models, and training with differential privacy."""
