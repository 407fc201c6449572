"""A hospital in a federation: its folder, its node and the checks before it joins."""
