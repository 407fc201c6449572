"""CTG pattern from tables of features."""
