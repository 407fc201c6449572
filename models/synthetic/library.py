"""A library of traces with known content, and the answers that each allows.

The allowed answers follow from the guidelines' definitions and from the rules of the state (ADR 20), not from what the
program says. Severities: 0 normal or category I, 1 suspicious or II, 2 pathological or III, None for "cannot tell".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.ctg.recording import CtgRecording, recording
from models.synthetic.scenes import RATE_HZ, Scene

Severity = int | None
ANY: frozenset[Severity] = frozenset({0, 1, 2, None})
NORMAL: frozenset[Severity] = frozenset({0})
NOT_NORMAL: frozenset[Severity] = frozenset({1, 2, None})
AT_LEAST_1: frozenset[Severity] = frozenset({1, 2})
WORST: frozenset[Severity] = frozenset({2})
HIGH, ALARM = frozenset({"high"}), frozenset({"high", "raised"})
NOT_LOW = frozenset({"high", "raised", "undecided", "cannot assess"})
WELL = frozenset({"low", "undecided"})
DOUBT = frozenset({"undecided", "cannot assess"})
CANNOT = frozenset({"cannot assess"})


@dataclass(frozen=True)
class KnownTrace:
    """A trace and what may be said of it.

    Attributes
    ----------
    name, content : str
    make : callable
        Makes the recording.
    states : frozenset of str
        Allowed states of the CTG alone.
    figo, nichd, nice : frozenset of (int or None)
        Allowed severities; not asked of antepartum traces.
    stage : {"labour", "antepartum", "unknown"}
    age_days : int
    """

    name: str
    content: str
    make: Callable[[], CtgRecording]
    states: frozenset[str]
    figo: frozenset[Severity] = ANY
    nichd: frozenset[Severity] = ANY
    nice: frozenset[Severity] = ANY
    stage: str = "labour"
    age_days: int = 280


def _calm(
    minutes: float = 60.0, bpm: float = 138.0, variability: float = 11.0, seed: int = 1, every_s: float = 180.0
) -> Scene:
    """A normal trace with accelerations."""
    return Scene(minutes, seed, every_s).level((0.0, bpm)).vary(variability).accelerate()


def _plain(
    minutes: float = 60.0, bpm: float = 145.0, variability: float = 8.0, seed: int = 2, every_s: float = 180.0
) -> Scene:
    """A trace without accelerations."""
    return Scene(minutes, seed, every_s).level((0.0, bpm)).vary(variability)


def _normal() -> list[KnownTrace]:
    rows = [(118, 9.0, 60), (126, 12.0, 60), (138, 11.0, 40), (146, 14.0, 90), (153, 10.0, 60), (133, 18.0, 120)]
    return [
        KnownTrace(
            f"normal-{bpm}",
            f"normal for {minutes} min: baseline {bpm}, variability {variability:g}, accelerations",
            lambda b=bpm, v=variability, m=minutes: _calm(m, b, v, seed=b).done(),  # type: ignore[misc]
            WELL,
            NORMAL,
            NORMAL,
            NORMAL,
        )
        for bpm, variability, minutes in rows
    ]


def _levels() -> list[KnownTrace]:
    found = [
        KnownTrace(
            f"tachycardia-{bpm}",
            f"baseline {bpm} throughout",
            lambda b=bpm: _plain(bpm=b).done(),  # type: ignore[misc]
            ALARM,
            AT_LEAST_1,
            AT_LEAST_1,
            WORST,
        )
        for bpm in (167, 174, 182)
    ]
    return [
        *found,
        KnownTrace(
            "tachycardia-recent",
            "normal, then a baseline of 172 for the last 25 min",
            lambda: _plain().level((0, 142), (34, 142), (36, 172), (60, 172)).vary(9).done(),
            ALARM,
            AT_LEAST_1,
            AT_LEAST_1,
            WORST,
        ),
        KnownTrace(
            "baseline-104",
            "baseline 104 throughout",
            lambda: _plain(bpm=104).done(),
            NOT_LOW,
            AT_LEAST_1,
            AT_LEAST_1,
            AT_LEAST_1,
        ),
        KnownTrace(
            "baseline-93", "baseline 93 throughout", lambda: _plain(bpm=93).done(), ALARM, WORST, AT_LEAST_1, WORST
        ),
        KnownTrace(
            "rise-over-hours",
            "the baseline rises from 128 to 155 over five hours",
            lambda: Scene(300, 5).level((0, 128), (60, 128), (280, 155), (300, 155)).vary(11).done(),
            NOT_LOW,
            nice=AT_LEAST_1,
        ),
        KnownTrace(
            "change-of-baseline",
            "the baseline changes from 152 to 132 for 40 min, without a fall",
            lambda: _plain().level((0, 152), (18, 152), (20, 132), (60, 132)).vary(11).done(),
            WELL | ALARM,
        ),
    ]


def _falls() -> list[KnownTrace]:
    rows = [(3.6, 68), (5.5, 82), (7.0, 76), (9.0, 62), (12.0, 70), (16.0, 88)]
    found = [
        KnownTrace(
            f"fall-{minutes:g}-min",
            f"normal, then a fall to {bpm} bpm that has lasted {minutes:g} min at the end",
            lambda m=minutes, b=bpm: _calm(seed=b).fall(60 - m, b, m).done(),  # type: ignore[misc]
            HIGH,
            WORST if minutes > 5 else ANY,
            AT_LEAST_1,
            WORST,
        )
        for minutes, bpm in rows
    ]
    return [
        *found,
        KnownTrace(
            "fall-flat",
            "a fall to 66 bpm without variability for the last 12 min",
            lambda: _calm().fall(48, 66, 12, 1.0).done(),
            HIGH,
            WORST,
            AT_LEAST_1,
            WORST,
        ),
        KnownTrace(
            "agonal",
            "a fall to 43 bpm for the last 12 min",
            lambda: _calm().fall(48, 43, 12).done(),
            HIGH,
            WORST,
            AT_LEAST_1,
            WORST,
        ),
        KnownTrace(
            "fall-to-105",
            "a fall from 150 to 104 bpm for the last 8 min",
            lambda: _calm(bpm=150).fall(52, 104, 8).done(),
            HIGH,
            WORST,
            AT_LEAST_1,
            WORST,
        ),
        KnownTrace(
            "fall-recovered-6-min",
            "a fall of 6 min, recovered 14 min ago",
            lambda: _calm().fall(40, 80, 6).done(),
            ALARM,
            WORST,
            AT_LEAST_1,
            WORST,
        ),
        KnownTrace(
            "fall-recovered-4-min",
            "a fall of 4 min, recovered 14 min ago",
            lambda: _calm().fall(42, 85, 4).done(),
            NOT_LOW,
            ANY,
            AT_LEAST_1,
            WORST,
        ),
        KnownTrace(
            "fall-long-ago",
            "a fall of 6 min, recovered 54 min ago",
            lambda: _calm(90).fall(30, 80, 6).done(),
            WELL,
            NORMAL,
            NORMAL,
            NORMAL,
        ),
        KnownTrace(
            "short-trace-fall",
            "a trace of 25 min that ends 5.5 min into a fall",
            lambda: _calm(25).fall(19.5, 78, 5.5).done(),
            HIGH,
            WORST,
            AT_LEAST_1,
            WORST,
        ),
        KnownTrace(
            "fall-then-lost",
            "a fall to 70 bpm for 6 min, then no signal for 3 min",
            lambda: _calm().fall(51, 70, 9).lose(57).done(),
            HIGH,
            WORST,
            AT_LEAST_1,
            WORST,
        ),
    ]


def _late() -> list[KnownTrace]:
    rows = [(60, 0), (42, 18), (25, 35), (14, 46)]
    found = [
        KnownTrace(
            f"late-last-{minutes}-min",
            f"late decelerations with every contraction for the last {minutes} min",
            lambda s=start: _plain().late(start_min=s).done(),  # type: ignore[misc]
            ALARM,
            WORST if minutes > 40 else AT_LEAST_1,
            AT_LEAST_1,
            WORST,
        )
        for minutes, start in rows
    ]
    return [
        *found,
        KnownTrace(
            "late-single", "one late deceleration 12 min ago", lambda: _calm(every_s=240).late(start_min=46, end_min=50).done(), NOT_LOW, ANY, AT_LEAST_1, WORST
        ),
        KnownTrace(
            "late-reduced", "late decelerations with every contraction, variability 3", lambda: _plain(variability=3).late(24).done(), ALARM, WORST, AT_LEAST_1, WORST
        ),
        KnownTrace(
            "late-shallow", "late decelerations of 12 bpm, variability 2.5", lambda: _plain(variability=2.5).late(13).done(), ALARM, AT_LEAST_1, AT_LEAST_1, WORST
        ),
        KnownTrace(
            "late-shallow-absent", "late decelerations of 9 bpm, no variability", lambda: _plain(variability=0.8).late(9).done(), ALARM, AT_LEAST_1, AT_LEAST_1, WORST
        ),
        KnownTrace(
            "late-no-tocogram", "late decelerations, no tocogram", lambda: _plain().late().tocogram_off(None).done(), NOT_LOW, NOT_NORMAL, NOT_NORMAL, NOT_NORMAL
        ),
        KnownTrace(
            "late-tocogram-zero", "late decelerations, the tocogram at zero", lambda: _plain().late().tocogram_off(0.0).done(), NOT_LOW, NOT_NORMAL, NOT_NORMAL, NOT_NORMAL
        ),
        KnownTrace(
            "late-tocogram-constant", "late decelerations, a constant tocogram", lambda: _plain().late().tocogram_off(14.0).done(), NOT_LOW, NOT_NORMAL, NOT_NORMAL, NOT_NORMAL
        ),
        KnownTrace(
            "late-tocogram-saturated", "late decelerations, a saturated tocogram", lambda: _plain().late().tocogram_off(127.0).done(), NOT_LOW, NOT_NORMAL, NOT_NORMAL, NOT_NORMAL
        ),
        KnownTrace(
            "late-tocogram-lost", "late decelerations to the end, the tocogram off for the last 25 min",
            lambda: _plain(70).late(start_min=20).tocogram_off(10.0, 45).done(), NOT_LOW, NOT_NORMAL, NOT_NORMAL, NOT_NORMAL
        ),
        KnownTrace(
            "quiet-no-tocogram", "a normal trace of an hour without a tocogram", lambda: _calm().tocogram_off(None).done(), frozenset({"undecided"})
        ),
    ]  # fmt: skip


def _other_decelerations() -> list[KnownTrace]:
    return [
        KnownTrace(
            "variable-short", "variable decelerations of 40 s with every contraction for an hour",
            lambda: _calm(variability=10).variable().done(), WELL | ALARM, frozenset({1}), AT_LEAST_1, ANY
        ),
        KnownTrace(
            "variable-long-recent", "variable decelerations of 85 s with every contraction for the last 25 min",
            lambda: _plain().variable(85.0, start_min=35).done(), NOT_LOW, AT_LEAST_1, AT_LEAST_1, AT_LEAST_1
        ),
        KnownTrace(
            "variable-long", "variable decelerations of 85 s with every contraction for an hour",
            lambda: _plain().variable(85.0).done(), NOT_LOW, AT_LEAST_1, AT_LEAST_1, WORST
        ),
        KnownTrace(
            "early", "early decelerations with every contraction", lambda: _plain(variability=9).early().done(), NOT_LOW | WELL, AT_LEAST_1, ANY, ANY
        ),
        KnownTrace(
            "late-stopped", "late decelerations in the first hour, none for the last 55 min",
            lambda: _plain(115, every_s=200).late(end_min=58).done(), WELL, NORMAL, NORMAL, NORMAL
        ),
    ]  # fmt: skip


def _variability() -> list[KnownTrace]:
    rows = [(90, 3.0, WORST, ALARM), (65, 4.0, WORST, ALARM), (60, 1.5, WORST, ALARM), (42, 3.0, AT_LEAST_1, NOT_LOW)]
    found = [
        KnownTrace(
            f"flat-{minutes}-min-{bpm:g}",
            f"variability {bpm:g} bpm for {minutes} min",
            lambda m=minutes, b=bpm: _plain(m, variability=b).done(),  # type: ignore[misc]
            states,
            severities,
            AT_LEAST_1,
            severities,
        )
        for minutes, bpm, severities, states in rows
    ]
    return [
        *found,
        KnownTrace(
            "flat-interrupted", "variability 3 bpm for 70 min with one minute of 12 in the middle",
            lambda: _plain(70, variability=3).vary(11, 34, 35).done(), ALARM, WORST, AT_LEAST_1, WORST
        ),
        KnownTrace(
            "saltatory-hour", "variability 34 bpm for an hour", lambda: _plain(variability=34).done(), ALARM, AT_LEAST_1, AT_LEAST_1, WORST
        ),
        KnownTrace(
            "saltatory-20-min", "variability 34 bpm for the last 20 min",
            lambda: Scene(60, 4).level((0, 140)).vary(10, 0, 40).vary(34, 40).done(), NOT_LOW, NOT_NORMAL, AT_LEAST_1, AT_LEAST_1
        ),
        KnownTrace(
            "sinusoidal-hour", "a sinusoidal rhythm of 10 bpm for an hour",
            lambda: Scene(60, 6).level((0, 140)).vary(1.5).sine(10).done(), ALARM, WORST, WORST, WORST
        ),
        KnownTrace(
            "sinusoidal-25-min", "a sinusoidal rhythm of 9 bpm for the last 25 min",
            lambda: Scene(60, 7).level((0, 140)).vary(9, 0, 35).vary(1.5, 35).sine(9, 35).done(), ALARM, AT_LEAST_1, WORST, WORST
        ),
    ]  # fmt: skip


def _signal() -> list[KnownTrace]:
    return [
        KnownTrace("end-lost-11", "no signal for the last 11 min", lambda: _calm().lose(49).done(), NOT_LOW, NOT_NORMAL, NOT_NORMAL, NOT_NORMAL),
        KnownTrace("end-lost-16", "no signal for the last 16 min", lambda: _calm().lose(44).done(), NOT_LOW, NOT_NORMAL, NOT_NORMAL, NOT_NORMAL),
        KnownTrace("loss-60", "60 % of the signal lost", lambda: _calm().lose_share(0.6).done(), CANNOT, NOT_NORMAL, NOT_NORMAL, NOT_NORMAL),
        KnownTrace(
            "loss-in-contractions", "the signal is lost with every contraction", lambda: _plain().lose_in_contractions().done(), NOT_LOW, NOT_NORMAL, NOT_NORMAL, NOT_NORMAL
        ),
        KnownTrace("five-minutes", "five minutes of a normal trace", lambda: _calm(5).done(), DOUBT),
        KnownTrace("one-value", "one value for an hour", lambda: _constant(140.0), DOUBT),
        KnownTrace("nothing", "no heart rate at all", lambda: _constant(np.nan), CANNOT, NOT_NORMAL, NOT_NORMAL, NOT_NORMAL),
        KnownTrace("twelve-hours", "twelve normal hours", lambda: _calm(720, every_s=240).done(), WELL, NORMAL, NORMAL, NORMAL),
        KnownTrace(
            "maternal-85", "a step to the mother's pulse at 85 bpm for the last 20 min", lambda: _calm().mother(40).done(), NOT_LOW, NOT_NORMAL, NOT_NORMAL, NOT_NORMAL
        ),
        KnownTrace(
            "maternal-108", "a step to the mother's pulse at 108 bpm for the last 20 min", lambda: _calm(bpm=142).mother(40, 108).done(), NOT_LOW, NOT_NORMAL, NOT_NORMAL, NOT_NORMAL
        ),
        KnownTrace("halved", "the rate is halved for the last 10 min", lambda: _calm().multiply(0.5, 50, None).done(), NOT_LOW, NOT_NORMAL, NOT_NORMAL, NOT_NORMAL),
        KnownTrace(
            "doubled", "a rate of 75 bpm that is doubled for the last 20 min",
            lambda: _plain(bpm=76).multiply(2.0, 40, None).done(), NOT_LOW, NOT_NORMAL, NOT_NORMAL, NOT_NORMAL
        ),
        KnownTrace("two-fetuses", "the rate alternates between two fetuses", lambda: _plain(bpm=128).alternate(24).done(), NOT_LOW, NOT_NORMAL, NOT_NORMAL, NOT_NORMAL),
        KnownTrace(
            "very-low-spell", "45 bpm for one minute, 20 min ago", lambda: _calm().fall(39, 45, 2.5).done(), NOT_LOW, NOT_NORMAL, NOT_NORMAL, NOT_NORMAL
        ),
        KnownTrace(
            "tocogram-at-200", "a tocogram that stands at 200 units", lambda: _calm().tocogram_off(200.0).done(), frozenset({"undecided"})
        ),
    ]  # fmt: skip


def _course() -> list[KnownTrace]:
    return [
        KnownTrace(
            "hours-then-bad", "four normal hours, then late decelerations and variability 3 for an hour",
            lambda: Scene(300, 8, 200).level((0, 140)).vary(11, 0, 240).vary(3, 240).late(start_min=240).done(), ALARM, WORST, AT_LEAST_1, WORST
        ),
        KnownTrace(
            "bad-20-min", "an hour that turned bad 20 min ago: late decelerations and a rise to 165",
            lambda: Scene(60, 9, 160).level((0, 140), (40, 140), (44, 166), (60, 168)).vary(7).late(start_min=40).done(), ALARM, AT_LEAST_1, AT_LEAST_1, WORST
        ),
        KnownTrace("stage-unknown", "a normal trace whose stage is not stated", lambda: _calm().done("unknown"), frozenset({"undecided"}), stage="unknown"),
        KnownTrace("preterm-labour", "a normal labour trace at 34+0 weeks", lambda: _calm().done(), frozenset({"undecided"}), age_days=238),
        KnownTrace(
            "tachysystole", "contractions every 95 s for an hour", lambda: _calm(every_s=95.0).done(), NOT_LOW | WELL, ANY, ANY, NOT_NORMAL
        ),
    ]  # fmt: skip


def _antepartum() -> list[KnownTrace]:
    def trace(name: str, content: str, make: Callable[[], Scene], states: frozenset[str], days: int) -> KnownTrace:
        return KnownTrace(
            name,
            content,
            lambda: make().tocogram_off(8.0).done("antepartum"),
            states,
            stage="antepartum",
            age_days=days,
        )

    return [
        trace("antepartum-reactive", "a reactive trace at 39+0 weeks", lambda: _calm(40, 136, 12), WELL, 273),
        trace("antepartum-preterm", "28+0 weeks, accelerations of 12 bpm for 15 s",
              lambda: Scene(40, 11).level((0, 150)).vary(8).accelerate(5, 14, 22), frozenset({"undecided"}), 196),
        trace("antepartum-flat", "no acceleration and variability 3 bpm for an hour at 36 weeks", lambda: _plain(60, 140, 3), ALARM, 252),
        trace("antepartum-fall", "a fall to 70 bpm for the last 6 min", lambda: _calm(40).fall(34, 70, 6), HIGH, 252),
        trace("antepartum-one-value-lost", "half of the trace lost", lambda: _calm(40).lose_share(0.65), CANNOT, 252),
        KnownTrace(
            "antepartum-preterminal", "32 weeks, variability 2 bpm and late decelerations",
            lambda: _plain(50, 140, 2.2).late(26).done("antepartum"), ALARM, stage="antepartum", age_days=224
        ),
    ]  # fmt: skip


def _constant(bpm: float) -> CtgRecording:
    count = round(3600 * RATE_HZ)
    toco = Scene(60, 3).toco
    return recording(np.full(count, bpm), toco, RATE_HZ, "synthetic", "labour")


LIBRARY: tuple[KnownTrace, ...] = (
    *_normal(),
    *_levels(),
    *_falls(),
    *_late(),
    *_other_decelerations(),
    *_variability(),
    *_signal(),
    *_course(),
    *_antepartum(),
)
