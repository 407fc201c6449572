"""Bundles: registered, in service, promoted, rolled back."""
