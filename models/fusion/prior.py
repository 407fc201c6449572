"""How frequent the outcome is where the answer is read: of the training data, of a population, or of the unit.

Another prior shifts every log-odds by the same amount (Elkan C. IJCAI 2001; label shift: what a trace looks like given
the outcome stays). Cuts shift along, so the state does not depend on the prior; what the number says does.
"""

from dataclasses import dataclass
from typing import Literal

from models.errors import InputError

Source = Literal["training", "population", "unit"]
# Umbilical-artery pH below 7.2 in 7.1 % and below 7.1 in 1.1 % of 14,221 Korean births; their geometric mean stands
# for 7.15. The shift of the milder event is used for the graver one too (assumption).
POPULATION_PRIOR = (0.071 * 0.011) ** 0.5
WORDS = {
    "training": "in the training data",
    "population": "in a population (14,221 Korean births, interpolated)",
    "unit": "in this unit, as its setting says",
}


@dataclass(frozen=True)
class Prior:
    """Where the prior comes from.

    Attributes
    ----------
    source : {"training", "population", "unit"}
    value : float or None
        Share of births with a pH at or below 7.15; None for that of the training data.
    """

    source: Source = "training"
    value: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Prior":
        """From a setting: ``training``, ``population``, or the unit's own share, e.g. ``0.06``.

        Raises
        ------
        InputError
            None of these.
        """
        if text == "training":
            return cls()
        if text == "population":
            return cls("population", POPULATION_PRIOR)
        try:
            share = float(text)
        except ValueError:
            raise InputError(f"prior {text!r}: training, population, or a share such as 0.06") from None
        _log_odds(share)
        return cls("unit", share)

    def of(self, training: float) -> float:
        """The share itself, given that of the training data."""
        return training if self.value is None else self.value

    def shift(self, training: float) -> float:
        """What it adds to every log-odds."""
        return 0.0 if self.value is None else _log_odds(self.value) - _log_odds(training)


def _log_odds(share: float) -> float:
    from models.fusion.pooling import log_odds  # needs SciPy, which settings do without

    return log_odds(share, "a prior")


TRAINING = Prior()
