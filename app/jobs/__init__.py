"""Retraining runs: started, watched, stopped."""
