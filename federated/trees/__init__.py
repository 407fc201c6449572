"""Federated boosting of trees on cardiotocography (CTG) features."""
