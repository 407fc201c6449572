"""Normal traces, baselines, falls and variability."""

from models.synthetic.library.known import (
    ALARM,
    ALARMING,
    ANY,
    AT_LEAST_1,
    FINE,
    GRAVE,
    HIGH,
    NOT_LOW,
    NOT_NORMAL,
    WELL,
    WORST,
    KnownTrace,
    calm,
    plain,
)
from models.synthetic.scenes import Scene


def normal() -> list[KnownTrace]:
    rows = [(118, 9.0, 60), (126, 12.0, 60), (138, 11.0, 40), (146, 14.0, 90), (153, 10.0, 60), (133, 18.0, 120)]
    return [
        KnownTrace(
            f"normal-{bpm}",
            f"normal for {minutes} min: baseline {bpm}, variability {variability:g}, accelerations",
            lambda b=bpm, v=variability, m=minutes: calm(m, b, v, seed=b).done(),  # type: ignore[misc]
            WELL,
            FINE,
        )
        for bpm, variability, minutes in rows
    ]


def levels() -> list[KnownTrace]:
    found = [
        KnownTrace(
            f"tachycardia-{bpm}",
            f"baseline {bpm} throughout",
            lambda b=bpm: plain(bpm=b).done(),  # type: ignore[misc]
            ALARM,
            ALARMING,
        )
        for bpm in (167, 174, 182)
    ]
    return [
        *found,
        KnownTrace(
            "tachycardia-recent",
            "normal, then a baseline of 172 for the last 25 min",
            lambda: plain().level((0, 142), (34, 142), (36, 172), (60, 172)).vary(9).done(),
            ALARM,
            ALARMING,
        ),
        KnownTrace(
            "baseline-104",
            "baseline 104 throughout",
            lambda: plain(bpm=104).done(),
            NOT_LOW,
            (AT_LEAST_1,) * 3,
        ),
        KnownTrace("baseline-93", "baseline 93 throughout", lambda: plain(bpm=93).done(), ALARM, GRAVE),
        KnownTrace(
            "rise-over-hours",
            "the baseline rises from 128 to 155 over five hours",
            lambda: Scene(300, 5).level((0, 128), (60, 128), (280, 155), (300, 155)).vary(11).done(),
            NOT_LOW,
            (ANY, ANY, AT_LEAST_1),
        ),
        KnownTrace(
            "change-of-baseline",
            "the baseline changes from 152 to 132 for 40 min, without a fall",
            lambda: plain().level((0, 152), (18, 152), (20, 132), (60, 132)).vary(11).done(),
            WELL | ALARM,
        ),
    ]


def falls() -> list[KnownTrace]:
    rows = [(3.6, 68), (5.5, 82), (7.0, 76), (9.0, 62), (12.0, 70), (16.0, 88)]
    found = [
        KnownTrace(
            f"fall-{minutes:g}-min",
            f"normal, then a fall to {bpm} bpm that has lasted {minutes:g} min at the end",
            lambda m=minutes, b=bpm: calm(seed=b).fall(60 - m, b, m).done(),  # type: ignore[misc]
            HIGH,
            (WORST if minutes > 5 else ANY, AT_LEAST_1, WORST),
        )
        for minutes, bpm in rows
    ]
    return [
        *found,
        KnownTrace(
            "fall-flat",
            "a fall to 66 bpm without variability for the last 12 min",
            lambda: calm().fall(48, 66, 12, 1.0).done(),
            HIGH,
            GRAVE,
        ),
        KnownTrace(
            "agonal",
            "a fall to 43 bpm for the last 12 min",
            lambda: calm().fall(48, 43, 12).done(),
            HIGH,
            GRAVE,
        ),
        KnownTrace(
            "fall-to-105",
            "a fall from 150 to 104 bpm for the last 8 min",
            lambda: calm(bpm=150).fall(52, 104, 8).done(),
            HIGH,
            GRAVE,
        ),
        KnownTrace(
            "fall-recovered-6-min",
            "a fall of 6 min, recovered 14 min ago",
            lambda: calm().fall(40, 80, 6).done(),
            ALARM,
            GRAVE,
        ),
        KnownTrace(
            "fall-recovered-4-min",
            "a fall of 4 min, recovered 14 min ago",
            lambda: calm().fall(42, 85, 4).done(),
            NOT_LOW,
            (ANY, AT_LEAST_1, WORST),
        ),
        KnownTrace(
            "fall-long-ago",
            "a fall of 6 min, recovered 54 min ago",
            lambda: calm(90).fall(30, 80, 6).done(),
            WELL,
            FINE,
        ),
        KnownTrace(
            "short-trace-fall",
            "a trace of 25 min that ends 5.5 min into a fall",
            lambda: calm(25).fall(19.5, 78, 5.5).done(),
            HIGH,
            GRAVE,
        ),
        KnownTrace(
            "fall-then-lost",
            "a fall to 70 bpm for 6 min, then no signal for 3 min",
            lambda: calm().fall(51, 70, 9).lose(57).done(),
            HIGH,
            GRAVE,
        ),
    ]


def variability() -> list[KnownTrace]:
    rows = [(90, 3.0, WORST, ALARM), (65, 4.0, WORST, ALARM), (60, 1.5, WORST, ALARM), (42, 3.0, AT_LEAST_1, NOT_LOW)]
    found = [
        KnownTrace(
            f"flat-{minutes}-min-{bpm:g}",
            f"variability {bpm:g} bpm for {minutes} min",
            lambda m=minutes, b=bpm: plain(m, variability=b).done(),  # type: ignore[misc]
            states,
            (severities, AT_LEAST_1, severities),
        )
        for minutes, bpm, severities, states in rows
    ]
    return [
        *found,
        KnownTrace(
            "flat-interrupted",
            "variability 3 bpm for 70 min with one minute of 12 in the middle",
            lambda: plain(70, variability=3).vary(11, 34, 35).done(),
            ALARM,
            GRAVE,
        ),
        KnownTrace(
            "saltatory-hour", "variability 34 bpm for an hour", lambda: plain(variability=34).done(), ALARM, ALARMING
        ),
        KnownTrace(
            "saltatory-20-min",
            "variability 34 bpm for the last 20 min",
            lambda: Scene(60, 4).level((0, 140)).vary(10, 0, 40).vary(34, 40).done(),
            NOT_LOW,
            (NOT_NORMAL, AT_LEAST_1, AT_LEAST_1),
        ),
        KnownTrace(
            "sinusoidal-hour",
            "a sinusoidal rhythm of 10 bpm for an hour",
            lambda: Scene(60, 6).level((0, 140)).vary(1.5).sine(10).done(),
            ALARM,
            (WORST,) * 3,
        ),
        KnownTrace(
            "sinusoidal-25-min",
            "a sinusoidal rhythm of 9 bpm for the last 25 min",
            lambda: Scene(60, 7).level((0, 140)).vary(9, 0, 35).vary(1.5, 35).sine(9, 35).done(),
            ALARM,
            (AT_LEAST_1, WORST, WORST),
        ),
    ]
