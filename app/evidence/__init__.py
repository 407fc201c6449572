"""How well the bundle in service is calibrated, and on whom."""
