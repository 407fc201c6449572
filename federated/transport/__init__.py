"""How tasks reach sites and replies come back over Flower."""
