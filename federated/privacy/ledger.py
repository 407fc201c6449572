"""A site's privacy ledger: its own account of the privacy loss of all trainings with noise. It stays at the site.

The noise of a round is derived from a secret of the site, the plan, the round and the received weights. A round that is
repeated after the server was killed gives the same reply, reveals nothing new, and counts once.
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

from federated.files import write_json_atomic, write_secret
from models.errors import FetalHealthError

LEDGER, SECRET = "privacy.json", "noise.key"


class PrivacyBudgetError(FetalHealthError):
    """One more round would exceed the privacy budget of the plan."""


def round_key(plan: str, round_number: int, received: Mapping[str, NDArray[Any]]) -> str:
    """Identifier of one release: the same for the same plan, round and received weights."""
    digest = sha256(f"{plan}\0{round_number}\0".encode())
    for name, values in sorted(received.items()):
        digest.update(name.encode() + b"\0" + np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


class PrivacyLedger:
    """The releases that are recorded in ``privacy.json`` of a site's folder.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def seed(self, key: str, fold_model: int) -> int:
        """Seed of the noise of one release; it cannot be computed outside the site."""
        path = self.folder / SECRET
        if not path.exists():
            write_secret(path, os.urandom(32))
        return int.from_bytes(hmac.new(path.read_bytes(), f"{key}\0{fold_model}".encode(), sha256).digest()[:8]) >> 1

    def history(self) -> dict[str, list[tuple[float, float, int]]]:
        """(noise multiplier, sampling rate, steps) of every release so far, by the key of the release."""
        path = self.folder / LEDGER
        if not path.exists():
            return {}
        return {key: [(z, q, n) for z, q, n in steps] for key, steps in json.loads(path.read_text()).items()}

    def epsilon(self, delta: float) -> float:
        """Epsilon of all releases so far."""
        return _epsilon(self.history(), delta)

    def spend(self, key: str, steps: list[tuple[float, float, int]], delta: float, limit: float | None) -> float:
        """Record a release before it is made; return the epsilon of all releases.

        Parameters
        ----------
        key : str
            From `round_key`.
        steps : list of (float, float, int)
        delta : float
        limit : float or None
            Largest allowed epsilon.

        Raises
        ------
        PrivacyBudgetError
            The limit would be exceeded; nothing is recorded then.
        """
        entered = {**self.history(), key: steps}
        spent = _epsilon(entered, delta)
        if limit is not None and spent > limit:
            raise PrivacyBudgetError(f"epsilon would be {spent:.2f}, the plan allows {limit:g}")
        write_json_atomic(self.folder / LEDGER, entered)
        return spent


def _epsilon(releases: Mapping[str, list[tuple[float, float, int]]], delta: float) -> float:
    """Epsilon of all releases together; steps with the same noise and rate are added up first."""
    from models.ultrasound.private_training import epsilon

    total: dict[tuple[float, float], int] = {}
    for steps in releases.values():
        for noise, rate, count in steps:
            total[noise, rate] = total.get((noise, rate), 0) + count
    return epsilon([(noise, rate, count) for (noise, rate), count in total.items()], delta)
