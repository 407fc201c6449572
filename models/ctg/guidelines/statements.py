"""What only a person can state about a trace."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Statements:
    """True, False, or None for unknown.

    Attributes
    ----------
    less_rest : bool or None
        The uterus rests less between contractions (NICE).
    hypertonus : bool or None
    absent_variability : bool or None
        No variability can be seen at all (NICHD).
    fetal_movements : int or None
        Felt during the recording (Dawes-Redman).
    high_variation : bool or None
        An episode of high variation above the 1st centile for the gestation (Dawes-Redman; its table is not at hand).
    """

    less_rest: bool | None = None
    hypertonus: bool | None = None
    absent_variability: bool | None = None
    fetal_movements: int | None = None
    high_variation: bool | None = None
