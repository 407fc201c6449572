"""Folds that keep all rows of a woman, a record or an examination together."""

from collections.abc import Iterable
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray


def hashed_folds(groups: Iterable[str], folds: int) -> NDArray[np.int64]:
    """Fold of each row, decided by a hash of its group's name alone.

    A group is in the same fold in every training, at every site, without any exchange between sites. So a candidate and
    the bundle in service can be compared on rows that neither was trained on.

    Parameters
    ----------
    groups : iterable of str, length n
    folds : int

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    return np.array([int.from_bytes(sha256(g.encode()).digest()[:4], "big") % folds for g in groups], dtype=np.int64)
