"""Generators of synthetic traces, heads and data sets. They prove nothing clinical."""
