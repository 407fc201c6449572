"""Estimated fetal weight: the formulas, and the charts that were built with them.

A chart judges only estimates of its own formulas. Lengths are in mm everywhere; they are converted to centimetres only
here, for the formulas.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, log, log10

from models.errors import InputError
from models.growth.measures import AC, BPD, EFW, FL, HC
from models.growth.standard import Curve, Standard, normal, skewed_log
from models.growth.who_weight import WHO_2017

HADLOCK = "Hadlock 1985"


@dataclass(frozen=True)
class WeightFormula:
    """A formula of estimated fetal weight.

    Attributes
    ----------
    key, name : str
    needs : tuple of str
        Names of the measures.
    in_centimetres : callable
        Weight in g from these measures in cm, in the order of `needs`.
    source : str
    second_hand : bool
    """

    key: str
    name: str
    needs: tuple[str, ...]
    in_centimetres: Callable[..., float]
    source: str
    second_hand: bool

    def grams(self, values_mm: Mapping[str, float]) -> float:
        """Estimated weight in g from lengths in mm.

        Raises
        ------
        InputError
            A measure that the formula needs is missing.
        """
        missing = [measure for measure in self.needs if measure not in values_mm]
        if missing:
            raise InputError(f"{self.name} needs {', '.join(missing)}")
        return self.in_centimetres(*(values_mm[measure] / 10.0 for measure in self.needs))


_HADLOCK_1985 = "Hadlock 1985, Am J Obstet Gynecol 151:333"
HADLOCK_ACFL = WeightFormula(
    key="hadlock-ac-fl",
    name=f"{HADLOCK} (AC, FL)",
    needs=(AC, FL),
    in_centimetres=lambda ac, fl: 10 ** (1.304 + 0.05281 * ac + 0.1938 * fl - 0.004 * ac * fl),
    source=_HADLOCK_1985,
    second_hand=True,
)
HADLOCK_BPD_ACFL = WeightFormula(
    key="hadlock-bpd-ac-fl",
    name=f"{HADLOCK} (BPD, AC, FL)",
    needs=(BPD, AC, FL),
    in_centimetres=lambda bpd, ac, fl: 10 ** (1.335 - 0.0034 * ac * fl + 0.0316 * bpd + 0.0457 * ac + 0.1623 * fl),
    source=f"{_HADLOCK_1985}; one public program",
    second_hand=True,
)
HADLOCK_HC_ACFL = WeightFormula(
    key="hadlock-hc-ac-fl",
    name=f"{HADLOCK} (HC, AC, FL)",
    needs=(HC, AC, FL),
    in_centimetres=lambda hc, ac, fl: 10 ** (1.326 - 0.00326 * ac * fl + 0.0107 * hc + 0.0438 * ac + 0.158 * fl),
    source=f"{_HADLOCK_1985}, as printed in Stirnemann 2020",
    second_hand=False,
)
HADLOCK_BPD_HC_ACFL = WeightFormula(
    key="hadlock-bpd-hc-ac-fl",
    name=f"{HADLOCK} (BPD, HC, AC, FL)",
    needs=(BPD, HC, AC, FL),
    in_centimetres=lambda bpd, hc, ac, fl: (
        10 ** (1.3596 - 0.00386 * ac * fl + 0.0064 * hc + 0.00061 * bpd * ac + 0.0424 * ac + 0.174 * fl)
    ),
    source=_HADLOCK_1985,
    second_hand=True,
)
HADLOCK_HC_AC = WeightFormula(
    key="hadlock-hc-ac",
    name="Hadlock 1984 (HC, AC)",
    needs=(HC, AC),
    in_centimetres=lambda hc, ac: 10 ** (1.182 + 0.0273 * hc + 0.07057 * ac - 0.00063 * ac**2 - 0.0002184 * ac * hc),
    source="Hadlock 1984",
    second_hand=True,
)
INTERGROWTH_AC_HC = WeightFormula(
    key="intergrowth-ac-hc",
    name="INTERGROWTH-21st 2017 (AC, HC)",
    needs=(AC, HC),
    in_centimetres=lambda ac, hc: exp(
        5.08482 - 54.06633 * (ac / 100) ** 3 - 95.80076 * (ac / 100) ** 3 * log(ac / 100) + 3.13637 * hc / 100
    ),
    source="Stirnemann 2017, Ultrasound Obstet Gynecol 49:478; read from the project's own spreadsheet",
    second_hand=False,
)
FORMULAS = {
    formula.key: formula
    for formula in (
        HADLOCK_HC_ACFL,
        HADLOCK_BPD_HC_ACFL,
        HADLOCK_BPD_ACFL,
        HADLOCK_ACFL,
        HADLOCK_HC_AC,
        INTERGROWTH_AC_HC,
    )
}
_ANY_HADLOCK = tuple(key for key in FORMULAS if key.startswith("hadlock"))


INTERGROWTH_2017 = Standard(
    key="intergrowth-2017",
    name="INTERGROWTH-21st (2017), estimated weight",
    measure=EFW,
    first_week=22,
    last_week=40,
    source="Stirnemann 2017, Ultrasound Obstet Gynecol 49:478; read from the project's own spreadsheet",
    second_hand=False,
    curve=skewed_log(
        lambda g: -4.257629 - 2162.234 * g**-2 + 0.0002301829 * g**3,
        lambda g: 4.956737 + 0.0005019687 * g**3 - 0.0001227065 * g**3 * log(g),
        lambda g: 0.0001 * (-6.997171 + 0.057559 * g**3 - 0.01493946 * g**3 * log(g)),
    ),
    formulas=(INTERGROWTH_AC_HC.key,),
)
INTERGROWTH_2020 = Standard(
    key="intergrowth-2020",
    name="INTERGROWTH-21st (2020), estimated weight",
    measure=EFW,
    first_week=18,
    last_week=41,
    source=(
        "Stirnemann 2020, Ultrasound Obstet Gynecol 56:946; Table S1 second-hand, centiles not checked against print"
    ),
    second_hand=True,
    curve=skewed_log(
        lambda g: 9.43643 + 9.41579 * (g / 10) ** -2 - 83.54220 * log(g / 10) * (g / 10) ** -2,
        lambda g: -2.42272 + 1.86478 * g**0.5 - 0.0000193299 * g**3,
        lambda g: 0.0193557 + 0.0310716 * (g / 10) ** -2 - 0.0657587 * log(g / 10) * (g / 10) ** -2,
    ),
    formulas=(HADLOCK_HC_ACFL.key,),
)
HADLOCK_1991 = Standard(
    key="hadlock-1991",
    name="Hadlock (1991), estimated weight",
    measure=EFW,
    first_week=10,
    last_week=40,
    source="Hadlock 1991, Radiology 181:129; checked against the abstract",
    second_hand=False,
    curve=normal(
        lambda g: exp(0.578 + 0.332 * g - 0.00354 * g**2),
        lambda g: 0.127 * exp(0.578 + 0.332 * g - 0.00354 * g**2),
    ),
    formulas=_ANY_HADLOCK,
)


def _fmf_log10(g: float) -> tuple[float, float]:
    x = 7 * g - 199
    return 3.0893 + 0.00835 * x - 0.00002965 * x**2 - 0.00000006062 * x**3, 0.02464 + 0.0000564 * 7 * g


FMF_2018 = Standard(
    key="fmf-2018",
    name="Fetal Medicine Foundation (2018), estimated weight",
    measure=EFW,
    first_week=20,
    last_week=42,
    source="Nicolaides 2018, Ultrasound Obstet Gynecol 52:44; second-hand",
    second_hand=True,
    curve=Curve(
        lambda value, g: (log10(value) - _fmf_log10(g)[0]) / _fmf_log10(g)[1],
        lambda z, g: 10 ** (_fmf_log10(g)[0] + z * _fmf_log10(g)[1]),
    ),
    formulas=(HADLOCK_HC_ACFL.key,),
)
WHO = Standard(
    key="who-2017",
    name="WHO (2017), estimated weight",
    measure=EFW,
    first_week=14,
    last_week=40,
    source="Kiserud 2017, PLoS Med 14:e1002220; printed centiles second-hand, interpolated between",
    second_hand=True,
    curve=WHO_2017.curve(),
    formulas=(HADLOCK_HC_ACFL.key,),
    printed=WHO_2017.range,
)
WEIGHT = {standard.key: standard for standard in (INTERGROWTH_2020, INTERGROWTH_2017, WHO, HADLOCK_1991, FMF_2018)}


def judged_by(standard: Standard, values_mm: Mapping[str, float]) -> WeightFormula | None:
    """The first formula of this chart for which all measures are given; None when there is no such formula."""
    formulas = (FORMULAS[key] for key in standard.formulas)
    return next((formula for formula in formulas if all(measure in values_mm for measure in formula.needs)), None)
