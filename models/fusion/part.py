"""The result of one examination: a probability, its reasons, and what is missing."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reason:
    """One signed contribution in log-odds, with a text for clinicians, and a remark where it contradicts physiology."""

    text: str
    log_odds: float
    remark: str = ""


@dataclass(frozen=True)
class Part:
    """The result of one modality.

    Attributes
    ----------
    probability : float or None
        None when it cannot be assessed.
    interval : tuple of float or None
        90 %.
    event : str
        The event that the probability is for.
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
