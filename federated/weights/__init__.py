"""Federated averaging of network weights."""
