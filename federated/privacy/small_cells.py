"""Suppression of small counts: a site does not report counts of fewer than five."""

from federated.plan import SMALL_CELL


def suppress_small(count: int) -> int:
    """Return the count, or 0 if it is smaller than five."""
    return count if count >= SMALL_CELL else 0
