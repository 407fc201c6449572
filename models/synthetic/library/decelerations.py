"""Decelerations with contractions that are known, or not."""

from models.synthetic.library.known import (
    ALARM,
    ALARMING,
    ANY,
    AT_LEAST_1,
    FINE,
    GRAVE,
    NOT_LOW,
    UNSURE,
    WELL,
    WORST,
    KnownTrace,
    calm,
    plain,
)


def late() -> list[KnownTrace]:
    rows = [(60, 0), (42, 18), (25, 35), (14, 46)]
    found = [
        KnownTrace(
            f"late-last-{minutes}-min",
            f"late decelerations with every contraction for the last {minutes} min",
            lambda s=start: plain().late(start_min=s).done(),  # type: ignore[misc]
            ALARM,
            (WORST if minutes > 40 else AT_LEAST_1, AT_LEAST_1, WORST),
        )
        for minutes, start in rows
    ]
    return [
        *found,
        KnownTrace(
            "late-single",
            "one late deceleration 12 min ago",
            lambda: calm(every_s=240).late(start_min=46, end_min=50).done(),
            NOT_LOW,
            (ANY, AT_LEAST_1, WORST),
        ),
        KnownTrace(
            "late-reduced",
            "late decelerations with every contraction, variability 3",
            lambda: plain(variability=3).late(24).done(),
            ALARM,
            GRAVE,
        ),
        KnownTrace(
            "late-shallow",
            "late decelerations of 12 bpm, variability 2.5",
            lambda: plain(variability=2.5).late(13).done(),
            ALARM,
            ALARMING,
        ),
        KnownTrace(
            "late-shallow-absent",
            "late decelerations of 9 bpm, no variability",
            lambda: plain(variability=0.8).late(9).done(),
            ALARM,
            ALARMING,
        ),
        KnownTrace(
            "late-no-tocogram",
            "late decelerations, no tocogram",
            lambda: plain().late().tocogram_off(None).done(),
            NOT_LOW,
            UNSURE,
        ),
        KnownTrace(
            "late-tocogram-zero",
            "late decelerations, the tocogram at zero",
            lambda: plain().late().tocogram_off(0.0).done(),
            NOT_LOW,
            UNSURE,
        ),
        KnownTrace(
            "late-tocogram-constant",
            "late decelerations, a constant tocogram",
            lambda: plain().late().tocogram_off(14.0).done(),
            NOT_LOW,
            UNSURE,
        ),
        KnownTrace(
            "late-tocogram-saturated",
            "late decelerations, a saturated tocogram",
            lambda: plain().late().tocogram_off(127.0).done(),
            NOT_LOW,
            UNSURE,
        ),
        KnownTrace(
            "late-tocogram-lost",
            "late decelerations to the end, the tocogram off for the last 25 min",
            lambda: plain(70).late(start_min=20).tocogram_off(10.0, 45).done(),
            NOT_LOW,
            UNSURE,
        ),
        KnownTrace(
            "quiet-no-tocogram",
            "a normal trace of an hour without a tocogram",
            lambda: calm().tocogram_off(None).done(),
            frozenset({"undecided"}),
        ),
    ]


def other_decelerations() -> list[KnownTrace]:
    return [
        KnownTrace(
            "variable-short",
            "variable decelerations of 40 s with every contraction for an hour",
            lambda: calm(variability=10).variable().done(),
            WELL | ALARM,
            (frozenset({1}), AT_LEAST_1, ANY),
        ),
        KnownTrace(
            "variable-long-recent",
            "variable decelerations of 85 s with every contraction for the last 25 min",
            lambda: plain().variable(85.0, start_min=35).done(),
            NOT_LOW,
            (AT_LEAST_1,) * 3,
        ),
        KnownTrace(
            "variable-long",
            "variable decelerations of 85 s with every contraction for an hour",
            lambda: plain().variable(85.0).done(),
            NOT_LOW,
            ALARMING,
        ),
        KnownTrace(
            "early",
            "early decelerations with every contraction",
            lambda: plain(variability=9).early().done(),
            NOT_LOW | WELL,
            (AT_LEAST_1, ANY, ANY),
        ),
        KnownTrace(
            "late-stopped",
            "late decelerations in the first hour, none for the last 55 min",
            lambda: plain(115, every_s=200).late(end_min=58).done(),
            WELL,
            FINE,
        ),
    ]
