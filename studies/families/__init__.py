"""The three families of federated models, compared."""
