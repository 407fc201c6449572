"""Non-stress test for antepartum traces: reactive with two accelerations in twenty minutes.

Definition as in ACOG Practice Bulletin 229 (second-hand): 15 bpm for 15 s, before 32+0 weeks 10 bpm for 10 s; not
reactive if forty minutes show too few.
"""

import numpy as np

from models.ctg.guidelines.criteria import GuidelineClass
from models.ctg.guidelines.measures import counted, not_known
from models.ctg.reading import Reading

RULES = "NST"
SOURCE = "non-stress test as in ACOG Practice Bulletin 229 (second-hand, not checked)"
WINDOW_S, LEAST_S = 1200.0, 2400.0
NEEDED = 2


def classify(reading: Reading) -> GuidelineClass:
    """Reactive, not reactive, or not judged."""
    starts = np.array([event.start_s for event in reading.accelerations])
    most = max((int(((starts >= s) & (starts < s + WINDOW_S)).sum()) for s in starts), default=0)
    size = "10 bpm for 10 s, as before 32+0 weeks" if reading.preterm else "15 bpm for 15 s"
    words = [f"{most} accelerations of at least {size} in 20 min"]
    opened = tuple(criterion.words for criterion in not_known(reading) if criterion.counts(reading.duration_s))
    grave = [slow for slow in reading.bradycardias if slow.running]
    downs = len(reading.decelerations)
    words += [f"bradycardia at {slow.median_bpm:.0f} bpm, not recovered" for slow in grave]
    words += [counted(downs, "")] if downs else []
    if grave or downs >= NEEDED:
        label = "reactive, with decelerations" if most >= NEEDED else "not reactive, with decelerations"
        return GuidelineClass(RULES, label, 2 if most < NEEDED or grave else 1, tuple(words), opened, SOURCE)
    if most >= NEEDED:
        return GuidelineClass(RULES, "reactive", None if opened else 0, tuple(words), opened, SOURCE)
    if reading.duration_s < LEAST_S:
        short = f"not reactive in {reading.duration_s / 60:.0f} min: continue to 40 min"
        return GuidelineClass(RULES, "not judged", None, tuple(words), (*opened, short), SOURCE)
    return GuidelineClass(RULES, "not reactive", 1, tuple(words), opened, SOURCE)
