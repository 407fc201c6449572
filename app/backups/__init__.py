"""Backups that can be verified to the last byte, and restored on either engine."""
