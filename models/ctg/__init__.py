"""Cardiotocography: recordings, their analysis, and the gradient-boosted pattern and acidaemia models."""
