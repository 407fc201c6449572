"""Federated training with Flower: plans, sites, strategies, and the job that trains and judges a candidate."""
