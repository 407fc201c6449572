"""Federated training with Flower: plans, sites, strategies, the retraining job."""
