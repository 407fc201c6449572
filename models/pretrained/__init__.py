"""Trained weights that ship, with their card and terms."""
