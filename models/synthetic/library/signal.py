"""What is lost, doubtful or not of this fetus; traces of many hours; traces before labour."""

from collections.abc import Callable

import numpy as np

from models.ctg.recording import CtgRecording, recording
from models.synthetic.library.known import (
    ALARM,
    ALARMING,
    ANY,
    CANNOT,
    DOUBT,
    FINE,
    GRAVE,
    HIGH,
    NOT_LOW,
    NOT_NORMAL,
    UNSURE,
    WELL,
    KnownTrace,
    calm,
    plain,
)
from models.synthetic.scenes import Scene
from models.synthetic.traces import RATE_HZ


def signal() -> list[KnownTrace]:
    return [
        KnownTrace("end-lost-11", "no signal for the last 11 min", lambda: calm().lose(49).done(), NOT_LOW, UNSURE),
        KnownTrace("end-lost-16", "no signal for the last 16 min", lambda: calm().lose(44).done(), NOT_LOW, UNSURE),
        KnownTrace("loss-60", "60 % of the signal lost", lambda: calm().lose_share(0.6).done(), CANNOT, UNSURE),
        KnownTrace(
            "loss-in-contractions",
            "the signal is lost with every contraction",
            lambda: plain().lose_in_contractions().done(),
            NOT_LOW,
            UNSURE,
        ),
        KnownTrace("five-minutes", "five minutes of a normal trace", lambda: calm(5).done(), DOUBT),
        KnownTrace("one-value", "one value for an hour", lambda: _constant(140.0), DOUBT),
        KnownTrace("nothing", "no heart rate at all", lambda: _constant(np.nan), CANNOT, UNSURE),
        KnownTrace("twelve-hours", "twelve normal hours", lambda: calm(720, every_s=240).done(), WELL, FINE),
        KnownTrace(
            "maternal-85",
            "a step to the mother's pulse at 85 bpm for the last 20 min",
            lambda: calm().mother(40).done(),
            NOT_LOW,
            UNSURE,
        ),
        KnownTrace(
            "maternal-108",
            "a step to the mother's pulse at 108 bpm for the last 20 min",
            lambda: calm(bpm=142).mother(40, 108).done(),
            NOT_LOW,
            UNSURE,
        ),
        KnownTrace(
            "halved",
            "the rate is halved for the last 10 min",
            lambda: calm().multiply(0.5, 50, None).done(),
            NOT_LOW,
            UNSURE,
        ),
        KnownTrace(
            "doubled",
            "a rate of 75 bpm that is doubled for the last 20 min",
            lambda: plain(bpm=76).multiply(2.0, 40, None).done(),
            NOT_LOW,
            UNSURE,
        ),
        KnownTrace(
            "two-fetuses",
            "the rate alternates between two fetuses",
            lambda: plain(bpm=128).alternate(24).done(),
            NOT_LOW,
            UNSURE,
        ),
        KnownTrace(
            "very-low-spell",
            "45 bpm for one minute, 20 min ago",
            lambda: calm().fall(39, 45, 2.5).done(),
            NOT_LOW,
            UNSURE,
        ),
        KnownTrace(
            "tocogram-at-200",
            "a tocogram that stands at 200 units",
            lambda: calm().tocogram_off(200.0).done(),
            frozenset({"undecided"}),
        ),
    ]


def course() -> list[KnownTrace]:
    return [
        KnownTrace(
            "hours-then-bad",
            "four normal hours, then late decelerations and variability 3 for an hour",
            lambda: Scene(300, 8, 200).level((0, 140)).vary(11, 0, 240).vary(3, 240).late(start_min=240).done(),
            ALARM,
            GRAVE,
        ),
        KnownTrace(
            "bad-20-min",
            "an hour that turned bad 20 min ago: late decelerations and a rise to 165",
            lambda: (
                Scene(60, 9, 160).level((0, 140), (40, 140), (44, 166), (60, 168)).vary(7).late(start_min=40).done()
            ),
            ALARM,
            ALARMING,
        ),
        KnownTrace(
            "stage-unknown",
            "a normal trace whose stage is not stated",
            lambda: calm().done("unknown"),
            frozenset({"undecided"}),
            stage="unknown",
        ),
        KnownTrace(
            "preterm-labour",
            "a normal labour trace at 34+0 weeks",
            lambda: calm().done(),
            frozenset({"undecided"}),
            age_days=238,
        ),
        KnownTrace(
            "tachysystole",
            "contractions every 95 s for an hour",
            lambda: calm(every_s=95.0).done(),
            NOT_LOW | WELL,
            (ANY, ANY, NOT_NORMAL),
        ),
    ]


def antepartum() -> list[KnownTrace]:
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
        trace("antepartum-reactive", "a reactive trace at 39+0 weeks", lambda: calm(40, 136, 12), WELL, 273),
        trace(
            "antepartum-preterm",
            "28+0 weeks, accelerations of 12 bpm for 15 s",
            lambda: Scene(40, 11).level((0, 150)).vary(8).accelerate(5, 14, 22),
            frozenset({"undecided"}),
            196,
        ),
        trace(
            "antepartum-flat",
            "no acceleration and variability 3 bpm for an hour at 36 weeks",
            lambda: plain(60, 140, 3),
            ALARM,
            252,
        ),
        trace(
            "antepartum-flat-half-an-hour",
            "no acceleration and variability 2 bpm for half an hour",
            lambda: plain(30, 140, 2),
            ALARM,
            252,
        ),
        trace(
            "antepartum-not-reactive-yet",
            "25 min without an acceleration, variability 9 bpm, at 38+0 weeks",
            lambda: plain(25, 138, 9),
            frozenset({"undecided"}),
            266,
        ),
        trace(
            "antepartum-sinusoidal",
            "a sinusoidal rhythm of 10 bpm for 40 min",
            lambda: plain(40, 140, 1).sine(10),
            ALARM,
            238,
        ),
        trace("antepartum-fall", "a fall to 70 bpm for the last 6 min", lambda: calm(40).fall(34, 70, 6), HIGH, 252),
        trace("antepartum-one-value-lost", "half of the trace lost", lambda: calm(40).lose_share(0.65), CANNOT, 252),
        KnownTrace(
            "antepartum-preterminal",
            "32 weeks, variability 2 bpm and late decelerations",
            lambda: plain(50, 140, 2.2).late(26).done("antepartum"),
            ALARM,
            stage="antepartum",
            age_days=224,
        ),
    ]


def _constant(bpm: float) -> CtgRecording:
    count = round(3600 * RATE_HZ)
    toco = Scene(60, 3).toco
    return recording(np.full(count, bpm), toco, RATE_HZ, "synthetic", "labour")
