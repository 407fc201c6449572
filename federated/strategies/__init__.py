"""One file a strategy. Each aggregates a list of replies by a pure function."""
