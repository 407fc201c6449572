"""Bundles of model files: registered, promoted to service and rolled back."""
