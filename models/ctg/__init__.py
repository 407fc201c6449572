"""Cardiotocography: recordings, their morphology, and the gradient-boosted pattern model."""
