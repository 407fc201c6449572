"""Amniotic fluid by the deepest vertical pocket: below 20 mm is reduced, 80 mm and above is increased.

The limits are those of the single-deepest-pocket method as commonly used; no printed source was at hand.
"""

from typing import Literal

from models.errors import InputError, RangeError
from models.growth.finding import Finding

AmnioticFluid = Literal["reduced", "normal", "increased"]
REDUCED_BELOW_MM, INCREASED_FROM_MM, DEEPEST_MM = 20.0, 80.0, 250.0


def amniotic_fluid(stated: AmnioticFluid | None, deepest_pocket_mm: float | None) -> AmnioticFluid | None:
    """The amount of fluid from a statement, a measured pocket, or both; None when unknown.

    Raises
    ------
    InputError
        The two contradict each other.
    RangeError
        The pocket is not 0 to 250 mm.
    """
    if deepest_pocket_mm is None:
        return stated
    if not 0 <= deepest_pocket_mm <= DEEPEST_MM:
        raise RangeError(f"deepest pocket {deepest_pocket_mm:g} mm is outside 0 to {DEEPEST_MM:.0f} mm")
    measured: AmnioticFluid = "normal"
    if deepest_pocket_mm < REDUCED_BELOW_MM:
        measured = "reduced"
    elif deepest_pocket_mm >= INCREASED_FROM_MM:
        measured = "increased"
    if stated is not None and stated != measured:
        raise InputError(
            f"a deepest pocket of {deepest_pocket_mm:g} mm is {measured} amniotic fluid, but {stated} was stated: "
            "correct one of the two"
        )
    return measured


def amniotic_fluid_findings(amount: AmnioticFluid | None) -> list[Finding]:
    """The finding, where the amount is not normal."""
    names = {"reduced": "oligohydramnios", "increased": "polyhydramnios"}
    return [Finding(names[amount], f"{amount} amniotic fluid")] if amount in names else []
