"""Training of a representation that several modalities share: multi-task and transfer."""
