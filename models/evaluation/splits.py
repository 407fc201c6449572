"""Splits that never part a woman, a record or an examination."""

from collections.abc import Iterable
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray


def set_aside(groups: Iterable[str], share: float) -> NDArray[np.bool_]:
    """Rows whose group is set aside, decided by a hash of the group's name alone.

    A group that is set aside in one training is set aside in every other, whatever the sites, so a
    candidate and the bundle in service can be compared on rows that neither has learned from.

    Parameters
    ----------
    groups : iterable of str, length n
    share : float
        Expected share of groups, in [0, 1].

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    limit = int(share * 2**32)
    return np.array([int.from_bytes(sha256(g.encode()).digest()[:4], "big") < limit for g in groups], dtype=bool)
