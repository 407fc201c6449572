"""Prior: the prevalence of the outcome at the place of use, from the training data, a population or the hospital.

Another prior shifts all log-odds by the same amount (Elkan C. IJCAI 2001; label shift: the distribution of traces for a
given outcome does not change). The thresholds shift too, so the state does not depend on the prior; the score does.
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
    "unit": "in this unit, as configured",
}


@dataclass(frozen=True)
class Prior:
    """The prior and its source.

    Attributes
    ----------
    source : {"training", "population", "unit"}
    value : float or None
        Prevalence of a pH at or below 7.15; None for that of the training data.
    """

    source: Source = "training"
    value: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Prior":
        """From a setting: ``training``, ``population``, or the hospital's own prevalence, e.g. ``0.06``.

        Raises
        ------
        InputError
            The text is none of these.
        """
        if text == "training":
            return cls()
        if text == "population":
            return cls("population", POPULATION_PRIOR)
        try:
            share = float(text)
        except ValueError:
            raise InputError(f"prior {text!r}: training, population, or a prevalence such as 0.06") from None
        _log_odds(share)
        return cls("unit", share)

    def of(self, training: float) -> float:
        """The prevalence itself, given that of the training data."""
        return training if self.value is None else self.value

    def shift(self, training: float) -> float:
        """What the prior adds to all log-odds."""
        return 0.0 if self.value is None else _log_odds(self.value) - _log_odds(training)


def _log_odds(share: float) -> float:
    from models.fusion.terms import log_odds  # needs SciPy, which settings do without

    return log_odds(share, "a prior")


TRAINING = Prior()
