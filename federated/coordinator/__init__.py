"""The coordinator of a federation between hospitals: server, kits and runs."""
