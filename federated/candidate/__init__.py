"""What follows a training: the candidate bundle, and the gate that compares it with the bundle in service."""
