"""Studies: everything that only produces evidence. Nothing in the product imports this package."""
