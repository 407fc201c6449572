"""A site's own account of what trainings with noise have told about its images. It stays at the site, over all runs.

The noise of a round is drawn from a secret of the site, the plan, the round and the weights received: a round that is
done again after a server was killed gives the same answer, tells nothing new, and counts once.
"""

import hmac
import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federated.files import put_json, put_secret
from models.errors import FetalHealthError

LEDGER, SECRET = "privacy.json", "noise.key"


class PrivacyBudgetError(FetalHealthError):
    """One more round would tell more than the plan allows."""


def round_key(plan: str, round_number: int, received: Mapping[str, NDArray[Any]]) -> str:
    """Names one release: the same plan, round and weights."""
    digest = sha256(f"{plan}\0{round_number}\0".encode())
    for name, values in sorted(received.items()):
        digest.update(name.encode() + b"\0" + np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


class PrivacyLedger:
    """Releases in ``privacy.json`` of a site's folder.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def seed(self, key: str, lane: int) -> int:
        """Of the noise of one release; nobody outside the site can know it."""
        path = self.folder / SECRET
        if not path.exists():
            put_secret(path, os.urandom(32))
        return int.from_bytes(hmac.new(path.read_bytes(), f"{key}\0{lane}".encode(), sha256).digest()[:8]) >> 1

    def history(self) -> dict[str, list[tuple[float, float, int]]]:
        """(noise multiplier, sampling rate, steps) of every release so far, by its key."""
        path = self.folder / LEDGER
        if not path.exists():
            return {}
        return {key: [(z, q, n) for z, q, n in steps] for key, steps in json.loads(path.read_text()).items()}

    def epsilon(self, delta: float) -> float:
        """Of every release so far."""
        return _epsilon(self.history(), delta)

    def spend(self, key: str, steps: list[tuple[float, float, int]], delta: float, limit: float | None) -> float:
        """Enter a release before it is made; epsilon of everything so far.

        Parameters
        ----------
        key : str
            As `round_key`.
        steps : list of (float, float, int)
        delta : float
        limit : float or None
            Largest epsilon.

        Raises
        ------
        PrivacyBudgetError
            The limit would be passed; nothing is entered then.
        """
        entered = {**self.history(), key: steps}
        spent = _epsilon(entered, delta)
        if limit is not None and spent > limit:
            raise PrivacyBudgetError(f"epsilon would be {spent:.2f}, the plan allows {limit:g}")
        put_json(self.folder / LEDGER, entered)
        return spent


def _epsilon(releases: Mapping[str, list[tuple[float, float, int]]], delta: float) -> float:
    """Of releases taken together; steps of one noise and rate are added up first."""
    from models.ultrasound.private_training import epsilon

    total: dict[tuple[float, float], int] = {}
    for steps in releases.values():
        for noise, rate, count in steps:
            total[noise, rate] = total.get((noise, rate), 0) + count
    return epsilon([(noise, rate, count) for (noise, rate), count in total.items()], delta)
