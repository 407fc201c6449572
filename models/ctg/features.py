"""The canonical CTG feature vector: the 21 SisPorto features of the UCI table, in their order.

Names carry the unit. Event features are rates per second, as in sheet *Data* of the UCI workbook
(count divided by the segment's length). Source of the names and units: Ayres-de-Campos D et al.
SisPorto 2.0. J Matern Fetal Med 2000;9:311-318, and the UCI description.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError, RangeError


@dataclass(frozen=True)
class Feature:
    """One entry of the vector.

    Attributes
    ----------
    name : str
    label : str
        Label for a clinician.
    low, high : float
        Physiologically or technically possible range, inclusive.
    group : str
        Heading under which contributions are summed for a reader.
    uci_column : str
        Column of the UCI sheet *Raw Data*.
    is_count : bool
        The sheet gives a count, to be divided by the segment's length in seconds.
    from_trace : bool
        True where a raw trace can fill it, because the definition is the same. The others stay missing: SisPorto's
        variability measures and deceleration classes are not published in full. Its histogram "variance" cannot be
        that of the same histogram: in 40 % of the rows mean and median lie more than one standard deviation apart,
        which is impossible for any distribution.
    unit, definition, source : str
        For the document `docs/ctg-features.md`. Empty where name and column are enough.
    """

    name: str
    label: str
    low: float
    high: float
    group: str
    uci_column: str = ""
    is_count: bool = False
    from_trace: bool = False
    unit: str = ""
    definition: str = ""
    source: str = "SisPorto 2.0, UCI table"


FEATURES: tuple[Feature, ...] = (
    Feature("baseline_bpm", "baseline", 50, 240, "baseline", "LB", from_trace=True),
    Feature("accelerations_per_s", "accelerations", 0, 0.07, "accelerations", "AC", True, True),
    Feature("fetal_movements_per_s", "fetal movements", 0, 2, "fetal movements", "FM", True),
    Feature("contractions_per_s", "contractions", 0, 0.05, "contractions", "UC", True, True),
    Feature("light_decelerations_per_s", "light decelerations", 0, 0.07, "decelerations", "DL", True),
    Feature("severe_decelerations_per_s", "severe decelerations", 0, 0.07, "decelerations", "DS", True),
    Feature("prolonged_decelerations_per_s", "prolonged decelerations", 0, 0.07, "decelerations", "DP", True),
    Feature("abnormal_stv_percent", "time with abnormal short-term variability", 0, 100, "variability", "ASTV"),
    Feature("mean_stv_bpm", "mean short-term variability", 0, 30, "variability", "MSTV"),
    Feature("abnormal_ltv_percent", "time with abnormal long-term variability", 0, 100, "variability", "ALTV"),
    Feature("mean_ltv_bpm", "mean long-term variability", 0, 150, "variability", "MLTV"),
    Feature("histogram_width_bpm", "range of heart rate", 0, 250, "heart-rate histogram", "Width", from_trace=True),
    Feature("histogram_min_bpm", "lowest heart rate", 30, 240, "heart-rate histogram", "Min", from_trace=True),
    Feature("histogram_max_bpm", "highest heart rate", 50, 300, "heart-rate histogram", "Max", from_trace=True),
    Feature("histogram_peaks", "histogram peaks", 0, 60, "heart-rate histogram", "Nmax"),
    Feature("histogram_zeros", "histogram zeros", 0, 60, "heart-rate histogram", "Nzeros"),
    Feature("histogram_mode_bpm", "most frequent heart rate", 50, 240, "heart-rate histogram", "Mode", from_trace=True),
    Feature("histogram_mean_bpm", "mean heart rate", 50, 240, "heart-rate histogram", "Mean", from_trace=True),
    Feature("histogram_median_bpm", "median heart rate", 50, 240, "heart-rate histogram", "Median", from_trace=True),
    Feature("histogram_variance_bpm2", "histogram variance (SisPorto)", 0, 2000, "heart-rate histogram", "Variance"),
    Feature("histogram_tendency", "histogram asymmetry", -1, 1, "heart-rate histogram", "Tendency"),
)
FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
UCI_COLUMNS: dict[str, str] = {feature.name: feature.uci_column for feature in FEATURES}
UCI_COUNTS: frozenset[str] = frozenset(feature.uci_column for feature in FEATURES if feature.is_count)
FROM_TRACE: NDArray[np.bool_] = np.array([feature.from_trace for feature in FEATURES])

# Further inputs of the pattern model, computed from the 21; each is missing where one of its inputs is.
DERIVED: tuple[Feature, ...] = (
    *(
        Feature(
            f"histogram_{name}_minus_baseline_bpm",
            f"{label} relative to the baseline",
            -200,
            200,
            "heart-rate histogram",
            from_trace=True,
        )
        for name, label in (
            ("mode", "most frequent heart rate"),
            ("mean", "mean heart rate"),
            ("median", "median heart rate"),
            ("min", "lowest heart rate"),
            ("max", "highest heart rate"),
        )
    ),
    Feature(
        "histogram_mode_minus_mean_bpm",
        "most frequent minus mean heart rate",
        -200,
        200,
        "heart-rate histogram",
        from_trace=True,
    ),
    Feature("decelerations_per_s", "decelerations", 0, 0.2, "decelerations"),
    Feature("abnormal_variability_percent", "time with abnormal variability, short and long", 0, 200, "variability"),
    Feature("stv_product", "abnormal times mean short-term variability", 0, 3000, "variability"),
)
DESIGN: tuple[Feature, ...] = FEATURES + DERIVED
DESIGN_NAMES: tuple[str, ...] = tuple(feature.name for feature in DESIGN)


def design(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 21 features and those derived from them, shape (n, 30), in the order of `DESIGN_NAMES`."""

    def column(name: str) -> NDArray[np.float64]:
        return np.asarray(features[:, FEATURE_NAMES.index(name)])

    baseline = column("baseline_bpm")
    relative = [column(f"histogram_{name}_bpm") - baseline for name in ("mode", "mean", "median", "min", "max")]
    decelerations = sum(
        (column(f"{kind}_decelerations_per_s") for kind in ("light", "severe", "prolonged")), 0.0 * baseline
    )
    return np.column_stack(
        [
            features,
            *relative,
            column("histogram_mode_bpm") - column("histogram_mean_bpm"),
            decelerations,
            column("abnormal_stv_percent") + column("abnormal_ltv_percent"),
            column("abnormal_stv_percent") * column("mean_stv_bpm"),
        ]
    )


def vector(values: Mapping[str, float | None]) -> NDArray[np.float64]:
    """Put named features into the canonical vector; absent ones become NaN.

    Parameters
    ----------
    values : mapping of str to float or None
        Keys are `FEATURE_NAMES`.

    Returns
    -------
    ndarray of float64, shape (21,)

    Raises
    ------
    InputError
        A name is unknown, or no value is given at all.
    RangeError
        A value is not finite or lies outside its range.
    """
    unknown = sorted(set(values) - set(FEATURE_NAMES))
    if unknown:
        raise InputError(f"unknown CTG feature {unknown[0]!r}; known are {', '.join(FEATURE_NAMES)}")
    out = np.full(len(FEATURES), np.nan)
    for index, feature in enumerate(FEATURES):
        value = values.get(feature.name)
        if value is None:
            continue
        if not np.isfinite(value) or not feature.low <= value <= feature.high:
            raise RangeError(f"{feature.name} = {value:g} is outside {feature.low:g} to {feature.high:g}")
        out[index] = value
    if np.isnan(out).all():
        raise InputError("no CTG feature was given")
    return out


def as_trace_would(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same rows with every feature that a raw trace cannot fill set to NaN, shape (n, 21)."""
    return np.where(FROM_TRACE, features, np.nan)
