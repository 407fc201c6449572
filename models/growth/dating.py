"""Gestational age from the last menstrual period, the crown-rump length or a scan, and the due date.

A pregnancy is dated once. A measure gets no z-score against an age that was computed from it, because that z-score is
about 0 by construction.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from math import exp, log

from models.errors import InputError, RangeError
from models.growth.measures import AC, BPD, FL, HC, LABELS

TERM_DAYS = 280
# Ages of the women from whom both sets of formulas of late pregnancy were made.
FIRST_WEEK, LAST_WEEK = 14, 42


@dataclass(frozen=True)
class Dating:
    """The gestational age on a day, and the method that gave it.

    Attributes
    ----------
    age_days : float
    on : date
    method : str
    measures : tuple of str
        Measures of the scan from which the age was computed. They get no z-score against this age.
    """

    age_days: float
    on: date
    method: str
    measures: tuple[str, ...] = ()

    @property
    def due_date(self) -> date:
        """280 days after the start of the pregnancy."""
        return self.on + timedelta(days=TERM_DAYS - round(self.age_days))


def by_last_menstrual_period(first_day: date, on: date) -> Dating:
    """Age on a day, counted from the first day of the last menstrual period.

    Raises
    ------
    RangeError
        The day is not within 44 weeks after that first day.
    """
    days = (on - first_day).days
    if not 0 <= days <= 44 * 7:
        raise RangeError(f"a last menstrual period of {first_day} is not 0 to 44 weeks before {on}")
    return Dating(days, on, "last menstrual period")


def by_crown_rump_length(length_mm: float, on: date) -> Dating:
    """Age from the crown-rump length, 15 to 100 mm.

    INTERGROWTH-21st early pregnancy dating; the coefficients come from that project's own spreadsheet.

    Raises
    ------
    RangeError
        The length is outside 15 to 100 mm.
    """
    if not 15 <= length_mm <= 100:
        raise RangeError(f"crown-rump length {length_mm:g} mm is outside 15 to 100 mm")
    return Dating(40.9041 + 3.21585 * length_mm**0.5 + 0.348956 * length_mm, on, "crown-rump length")


def intergrowth_age_days(values_mm: Mapping[str, float]) -> tuple[float, tuple[str, ...]]:
    """Late-pregnancy age in days from HC and FL, or from HC alone, and the measures used.

    Papageorghiou AT et al. Ultrasound Obstet Gynecol 2016, doi:10.1002/uog.15894. The coefficients come from that
    project's own spreadsheet.

    Raises
    ------
    InputError
        There is no head circumference.
    RangeError
        The age would lie before 14+0 weeks, where the formula was not made for it, or after 42+0.
    """
    if HC not in values_mm:
        raise InputError("dating by scan needs a head circumference")
    head = log(values_mm[HC])
    if FL in values_mm:
        days = exp(0.03243 * head**2 + 0.001644 * values_mm[FL] * head + 3.813)
    else:
        days = exp(0.05970 * head**2 + 0.000000006409 * values_mm[HC] ** 3 + 3.3258)
    if days < FIRST_WEEK * 7:
        raise RangeError(
            f"a head circumference of {values_mm[HC]:g} mm lies before 14+0 weeks, where the formula of late pregnancy "
            "does not hold; date the pregnancy by the crown-rump length"
        )
    if days > LAST_WEEK * 7:
        raise RangeError(f"a head circumference of {values_mm[HC]:g} mm gives an age beyond {LAST_WEEK}+0 weeks")
    return days, (HC, FL) if FL in values_mm else (HC,)


# Hadlock FP et al. Radiology 1984;152:497-501: centimetres in, weeks out. Second-hand (three public programs).
HADLOCK_1984: dict[str, Callable[[float], float]] = {
    HC: lambda x: 8.96 + 0.540 * x + 0.0003 * x**3,
    BPD: lambda x: 9.54 + 1.482 * x + 0.1676 * x**2,
    AC: lambda x: 8.14 + 0.753 * x + 0.0036 * x**2,
    FL: lambda x: 10.35 + 2.460 * x + 0.170 * x**2,
}
HADLOCK_HEADS_MM = (68.0, 360.0)
# Two standard deviations of the age by HC, weeks, for heads up to this many mm.
_HADLOCK_TWO_SD = ((147.5, 1.19), (221.5, 1.48), (282.0, 2.06), (326.0, 2.98), (360.0, 3.2))


def hadlock_age_weeks(measure: str, value_mm: float) -> float:
    """Age in weeks from one measure (mm) by Hadlock 1984 (second-hand).

    Raises
    ------
    InputError
        Hadlock 1984 has no formula for this measure.
    RangeError
        The age lies outside 14+0 to 42+0 weeks, from which the formulas were made.
    """
    if measure not in HADLOCK_1984:
        raise InputError(f"Hadlock 1984 gives no age from {measure}")
    weeks = HADLOCK_1984[measure](value_mm / 10.0)
    if not FIRST_WEEK <= weeks <= LAST_WEEK:
        raise RangeError(
            f"{LABELS[measure].lower()} {value_mm:g} mm is outside {FIRST_WEEK} to {LAST_WEEK} weeks of Hadlock 1984"
        )
    return weeks


def hadlock_expected_head_mm(age_weeks: float) -> float:
    """Mean head circumference at an age, mm (Hadlock 1984; checked to 0.83 mm). Its SD is not available."""
    return 10 * (-11.48 + 1.56 * age_weeks - 0.0002548 * age_weeks**3)


def hadlock_two_sd_weeks(head_circumference_mm: float) -> float:
    """Two standard deviations of the age by head circumference, weeks (second-hand).

    Raises
    ------
    RangeError
        The head circumference is outside 68 to 360 mm.
    """
    if not HADLOCK_HEADS_MM[0] <= head_circumference_mm <= HADLOCK_HEADS_MM[1]:
        raise RangeError(f"head circumference {head_circumference_mm:g} mm is outside 68 to 360 mm")
    return next(two_sd for largest, two_sd in _HADLOCK_TWO_SD if head_circumference_mm <= largest)


@dataclass(frozen=True)
class AgeBySize:
    """The age at which the measured size is the average, by one formula.

    Attributes
    ----------
    formula : str
    measures : tuple of str
    days : float
    two_sd_days : float or None
        Two standard deviations of the age; None where they are not known.
    """

    formula: str
    measures: tuple[str, ...]
    days: float
    two_sd_days: float | None = None


def ages_by_size(values_mm: Mapping[str, float]) -> list[AgeBySize]:
    """The age by each formula in its published range. They must not be used for a z-score of the same measures."""
    ages = []
    if HC in values_mm:
        with suppress(RangeError):
            days, measures = intergrowth_age_days(values_mm)
            ages.append(AgeBySize("INTERGROWTH-21st 2016", measures, days))
    for measure in HADLOCK_1984:
        if measure in values_mm:
            with suppress(RangeError):
                days = 7 * hadlock_age_weeks(measure, values_mm[measure])
                two_sd = 7 * hadlock_two_sd_weeks(values_mm[HC]) if measure == HC else None
                ages.append(AgeBySize("Hadlock 1984, second-hand", (measure,), days, two_sd))
    return ages


def by_scan(values_mm: Mapping[str, float], on: date) -> Dating:
    """Age from this scan's head and femur (INTERGROWTH-21st 2016), 14+0 to 42+0 weeks.

    Raises
    ------
    InputError
        There is no head circumference.
    RangeError
        The age would lie outside these weeks.
    """
    days, measures = intergrowth_age_days(values_mm)
    return Dating(days, on, "scan", measures)
