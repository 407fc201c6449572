"""The comprehensive score outside labour: the probability that at least one of two examinations is abnormal.

Outside labour there is no outcome to which trace and size could both be calibrated. So the score combines two events
as they are: experts would call the pattern pathological; the true size is below the 3rd centile. How much the two go
together is not known. If they are independent, the probability of at least one is 1 - (1 - p)(1 - q). Whatever their
dependence, it lies between max(p, q) and p + q (Fréchet M. Fund Math 1935;25:379-387).
"""

from dataclasses import dataclass

Pair = tuple[float, float]


@dataclass(frozen=True)
class Either:
    """The probability of at least one of two events.

    Attributes
    ----------
    probability : float
        If the two are independent.
    bounds : (float, float)
        Whatever their dependence.
    interval : (float, float)
        The bounds at both ends of the 90 % intervals of the two probabilities.
    """

    probability: float
    bounds: Pair
    interval: Pair


def at_least_one(p: float, p_interval: Pair, q: float, q_interval: Pair) -> Either:
    """Combine two probabilities with their 90 % intervals, all in [0, 1].

    Raises
    ------
    ValueError
        A value lies outside [0, 1].
    """
    values = (p, q, *p_interval, *q_interval)
    if not all(0.0 <= value <= 1.0 for value in values):
        raise ValueError(f"probabilities outside 0 to 1: {values}")
    return Either(
        1.0 - (1.0 - p) * (1.0 - q),
        (max(p, q), min(1.0, p + q)),
        (max(p_interval[0], q_interval[0]), min(1.0, p_interval[1] + q_interval[1])),
    )
