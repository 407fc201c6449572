"""One run of training: its folder, its process, its status, and what its strategies have in common."""
