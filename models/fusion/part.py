"""What one examination tells: a probability, its reasons, and what is missing."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reason:
    """One signed contribution, in log-odds, in a clinician's words."""

    text: str
    log_odds: float


@dataclass(frozen=True)
class Part:
    """One modality's result.

    Attributes
    ----------
    probability : float or None
        None when it cannot be assessed.
    interval : tuple of float or None
        90 %.
    event : str
        What the probability is of.
    refusal : str or None
        Why there is no probability.
    detail : dict
        Measurements, for display and JSON.
    """

    probability: float | None
    interval: tuple[float, float] | None
    event: str
    refusal: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)
