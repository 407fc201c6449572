"""Benchmarks: `make bench`. Ratios side by side in one run; absolute numbers are of the machine at hand."""
