"""What a site does not tell: counts of few."""

SMALL_CELL = 5


def floored(count: int) -> int:
    """The count, or 0 where fewer than five rows stand behind it."""
    return count if count >= SMALL_CELL else 0
