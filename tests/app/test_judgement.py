"""The judgement in few words: what must stand there, and how many words it takes."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.assessments.judgement import ALL_CLEAR, NOT_REASSURING, judgement, now_words
from models.synthetic.library import LIBRARY
from models.synthetic.traces import as_csv

SCAN = {
    "scan_gestational_age": "39+0",
    "head_circumference_mm": "331",
    "abdominal_circumference_mm": "341",
    "femur_length_mm": "71",
}
FEW, MORE = 60, 90


class Visible(HTMLParser):
    """Words of the judgement column before anything is unfolded, without buttons."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = 0
        self.folded = 0
        self.summary = 0
        self.skipped = 0
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "aside" and ("class", "judgement") in attrs:
            self.inside = 1
        elif tag == "details" and self.inside:
            self.folded += 1
        elif tag == "summary":
            self.summary += 1
        elif tag in ("button", "svg", "option", "textarea"):
            self.skipped += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "aside":
            self.inside = 0
        elif tag == "details" and self.inside:
            self.folded -= 1
        elif tag == "summary":
            self.summary -= 1
        elif tag in ("button", "svg", "option", "textarea"):
            self.skipped -= 1

    def handle_data(self, data: str) -> None:
        shown = self.folded == 0 or (self.folded == 1 and self.summary)
        if self.inside and shown and not self.skipped:
            self.words += re.findall(r"\w[\w.+%-]*", data)


def page_words(page: str) -> list[str]:
    visible = Visible()
    visible.feed(page)
    return visible.words


# A third of the library, and all that is not labour. Traces of hours are larger than what the tests may upload.
SHORT = [known for known in LIBRARY if "hours" not in known.name]
SHOWN = [known for number, known in enumerate(SHORT) if number % 3 == 0 or known.stage != "labour"]


@pytest.mark.slow
@pytest.mark.parametrize("known", SHOWN, ids=lambda known: known.name)
def test_the_judgement_takes_few_words(api: TestClient, known: Any) -> None:
    fields = {"patient": "P-1", "ctg_stage": known.stage, **SCAN}
    if known.age_days:
        age = f"{known.age_days // 7}+{known.age_days % 7}"
        fields |= {"ctg_gestational_age": age, "scan_gestational_age": age}
    answer = api.post("/api/v1/assessments", data=fields, files=[("ctg", ("t.csv", as_csv(known.make())))])
    assert answer.status_code == 201, answer.text
    page = api.get(answer.json()["url"], headers={"Accept": "text/html"}).text
    brief = judgement(answer.json()["result"])
    words = page_words(page)
    doubtful = brief.doubts or answer.json()["result"]["distress"]["detail"]["doubts"]
    limit = MORE if doubtful else FEW
    assert len(words) <= limit, f"{len(words)} of {limit}: {' '.join(words)}"


def result(**changes: Any) -> dict[str, Any]:
    part = {"probability": None, "interval": None, "event": "", "refusal": "none was given", "detail": {}}
    base = {"state": "undecided", "score": None, "distress": part, "growth": part, "warnings": []}
    return base | changes


def test_low_says_that_it_is_no_all_clear() -> None:
    assert ALL_CLEAR in judgement(result(state="low", state_reasons=["FIGO 2015 normal"])).reasons


def test_undecided_is_not_reassuring_unless_the_trace_is_reactive() -> None:
    assert judgement(result(state_reasons=["x"], state_basis="reading")).heading == NOT_REASSURING
    assert judgement(result(state_reasons=["x"], state_basis="reactive: criteria met")).heading == ""


def test_further_reasons_fold_and_what_is_missing_is_said() -> None:
    long = "word " * 12
    brief = judgement(result(state="high", state_reasons=["a", long + "b", "FIGO: a", long + "c"]))
    assert (brief.reasons, brief.more) == (("a", long + "b"), ("FIGO: a", long + "c"))
    assert brief.missing == "Missing: CTG, scan."
    assert brief.score == "No score"


def test_baseline_variability_and_events() -> None:
    ctg = {
        "baseline_bpm": 141.0,
        "variability_bpm": None,
        "accelerations": [],
        "decelerations": [{}],
    }
    assert now_words(ctg) == "Baseline 141 bpm, variability not measurable; no accelerations, 1 deceleration."
    assert now_words({}) == ""
