"""Low umbilical pH from labour traces."""
