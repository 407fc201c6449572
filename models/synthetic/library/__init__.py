"""A library of traces with known content, and the answers that each allows.

The allowed answers follow from the guidelines' definitions and from the rules of the state (ADR 20), not from what the
program says. Synthetic: evidence that rules are followed, of nothing clinical.
"""

from models.synthetic.library.decelerations import late, other_decelerations
from models.synthetic.library.known import KnownTrace
from models.synthetic.library.rate import falls, levels, normal, variability
from models.synthetic.library.signal import antepartum, course, signal

__all__ = ["LIBRARY", "KnownTrace"]

LIBRARY: tuple[KnownTrace, ...] = (
    *normal(),
    *levels(),
    *falls(),
    *late(),
    *other_decelerations(),
    *variability(),
    *signal(),
    *course(),
    *antepartum(),
)
