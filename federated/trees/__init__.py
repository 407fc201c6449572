"""Federated boosting of trees on features of cardiotocography (CTG)."""
