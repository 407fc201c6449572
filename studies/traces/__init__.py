"""Measurements and guidelines on traces, beside other methods and obstetricians."""
