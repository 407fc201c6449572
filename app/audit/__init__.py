"""The audit: who read or changed what."""
