"""CTG of every kind over API, page and command line: twins, JSON, EDF, statements, the strip on paper."""

import json
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from app.cli import app as command
from models.ctg.recording import CtgRecording
from models.errors import FetalHealthError, InputError, RangeError
from models.synthetic.traces import as_wfdb, trace

FIRST = trace(minutes=40, accelerations=4, seed=1).recording
SECOND = trace(minutes=40, baseline_bpm=150, accelerations=0, late_decelerations=True, seed=2).recording


def numbers(values: Any) -> list[float | None]:
    return [None if not np.isfinite(v) else round(float(v), 2) for v in values]


def twins() -> bytes:
    lines = ["# sampling_rate_hz: 4", "FHR1,FHR2,UC"]
    columns = (np.nan_to_num(FIRST.fhr_bpm), np.nan_to_num(SECOND.fhr_bpm), SECOND.toco)
    lines += [f"{a:.1f},{b:.1f},{c:.1f}" for a, b, c in zip(*columns, strict=True)]
    return "\n".join(lines).encode()


def send(api: TestClient, data: dict[str, str], files: Any) -> Any:
    return api.post("/api/v1/assessments", data={"patient": "P-1", **data}, files=files)


def test_twins_are_assessed_apart(api: TestClient) -> None:
    files = {"ctg": ("twins.csv", twins())}
    refused = send(api, {}, files)
    assert refused.status_code == 422
    assert "two fetal heart rates" in refused.json()["detail"]
    made = [
        send(api, {"ctg_channel": channel, "fetus": fetus}, files).json() for channel, fetus in (("1", "A"), ("2", "B"))
    ]
    levels = [one["result"]["distress"]["detail"]["baseline_bpm"] for one in made]
    assert levels == pytest.approx([135, 150], abs=3)
    assert [one["fetus"] for one in made] == ["A", "B"]
    assert send(api, {"ctg_channel": "3"}, files).status_code == 422
    arrays = api.get(f"/assessments/{made[1]['id']}/trace").json()
    assert np.nanmedian([v for v in arrays["fhr"] if v]) == pytest.approx(150, abs=8)


def test_a_trace_as_json(api: TestClient) -> None:
    values = {"sampling_rate_hz": 4, "fhr_bpm": numbers(SECOND.fhr_bpm), "toco": numbers(SECOND.toco)}
    body = {"patient": {"pseudonym": "P-1"}, "ctg": {"trace": values, "stage": "labour"}}
    answer = api.post("/api/v1/assessments", json=body)
    assert answer.status_code == 201
    detail = answer.json()["result"]["distress"]["detail"]
    assert detail["baseline_bpm"] == pytest.approx(150, abs=3)
    assert {event["kind"] for event in detail["decelerations"]} <= {"late", "variable", "early", "gradual", "prolonged"}
    assert [row["rules"] for row in detail["guidelines"]] == ["FIGO 2015", "NICHD 2008", "NICE NG229 (amended)"]
    page = api.get(f"/assessments/{answer.json()['id']}", headers={"Accept": "text/html"}).text
    for words in (
        "FIGO 2015",
        "second-hand",
        "Earlier in the trace",
        "umbilical-artery pH",
        "late deceleration",
    ):
        assert words in page


def test_a_json_trace_that_is_wrong_is_refused(api: TestClient) -> None:
    for values in (
        {"sampling_rate_hz": 4, "fhr_bpm": [140, 141], "toco": [1]},
        {"fhr_bpm": [140] * 4000},
        {"sampling_rate_hz": 4, "fhr_bpm": ["x"]},
        {"sampling_rate_hz": 4, "fhr_bpm": [140], "beats": 1},
    ):
        body = {"patient": {"pseudonym": "P-1"}, "ctg": {"trace": values}}
        assert api.post("/api/v1/assessments", json=body).status_code == 422


def test_statements_reach_the_guidelines(api: TestClient) -> None:
    files = [("ctg", (name, content)) for name, content in as_wfdb(SECOND, "r").items()]
    data = {"ctg_stage": "labour", "ctg_hypertonus": "true", "ctg_absent_variability": "false"}
    detail = send(api, data, files).json()["result"]["distress"]["detail"]
    nice = next(row for row in detail["guidelines"] if row["rules"].startswith("NICE"))
    assert any("hypertonus" in line for line in nice["criteria"])
    assert send(api, {"ctg_hypertonus": "perhaps"}, files).status_code == 422


def test_an_edf_file(api: TestClient, tmp_path: Path) -> None:
    path = tmp_path / "a.edf"
    signals = [(np.nan_to_num(FIRST.fhr_bpm), "FHR1"), (np.asarray(FIRST.toco), "UC")]
    edfio.Edf([edfio.EdfSignal(v, 4, label=name, physical_range=(-10, 300)) for v, name in signals]).write(path)
    detail = send(api, {}, {"ctg": ("a.edf", path.read_bytes())}).json()["result"]["distress"]["detail"]
    assert detail["baseline_bpm"] == pytest.approx(135, abs=3)
    assert detail["contractions"]


def written(folder: Path, recording: CtgRecording = SECOND) -> Path:
    for name, content in as_wfdb(recording, "rec").items():
        (folder / name).write_bytes(content)
    return folder / "rec.hea"


def analyse(*arguments: object) -> Any:
    return CliRunner().invoke(command, ["analyse", *map(str, arguments)])


def test_analyse_prints_the_summary_and_writes_the_strip(tmp_path: Path) -> None:
    header = written(tmp_path)
    made = analyse(header, "--stage", "labour", "--strip", tmp_path / "strip.svg", "--speed", 3, "--scale", 20)
    assert made.exit_code == 0, made.output
    for words in (
        "baseline now 150 bpm",
        "decelerations",
        "FIGO 2015:",
        "not judged:",
        "written:",
        "Not a medical device",
    ):
        assert words in made.output
    drawing = (tmp_path / "strip.svg").read_text()
    assert "3 cm/min, 20 bpm/cm" in drawing
    assert 'width="123' in drawing  # 40 min at 3 cm/min, and margins
    assert analyse(header, "--strip", tmp_path / "strip.pdf").exit_code == 0
    assert (tmp_path / "strip.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.slow
def test_analyse_as_json_and_refusals(tmp_path: Path) -> None:
    header = written(tmp_path)
    detail = json.loads(analyse(header, "--json").stdout)
    assert detail["baseline_bpm"] == pytest.approx(150, abs=3)
    assert detail["state"] in {"high", "raised", "undecided"}
    assert all({"rules", "label", "severity"} <= set(answer) for answer in detail["guidelines"])
    short = written(tmp_path / "s" if (tmp_path / "s").mkdir() is None else tmp_path, FIRST.part(0, 300))
    refused = analyse(short)
    assert refused.exit_code == 3
    assert "no score: the trace is 5.0 min long" in refused.output
    for arguments, kind in (
        ((header, "--speed", 5), RangeError),
        ((header, "--strip", "a.png"), InputError),
        ((header, "--strip", tmp_path / "nowhere" / "a.svg"), InputError),
        ((header, "--stage", "asleep"), InputError),
        ((tmp_path / "none.hea",), InputError),
        ((header, "--channel", 2), InputError),
    ):
        failed = analyse(*arguments)
        assert isinstance(failed.exception, kind)
        assert isinstance(failed.exception, FetalHealthError)


def test_short_term_variation_is_shown_before_labour_only(api: TestClient) -> None:
    files = [("ctg", (name, content)) for name, content in as_wfdb(FIRST, "r").items()]
    pages = {}
    for stage in ("antepartum", "labour"):
        made = send(api, {"ctg_stage": stage}, files).json()
        pages[stage] = api.get(f"/assessments/{made['id']}", headers={"Accept": "text/html"}).text
    assert "short-term variation" in pages["antepartum"]
    assert "Dawes-Redman" in pages["antepartum"]
    assert "short-term variation" not in pages["labour"]


def test_the_summary_says_first_what_is_lost_and_until_when_it_was_read() -> None:
    from app.assessments.view import summary
    from models.ctg.analysis import analyse as analyse_trace
    from models.ctg.reading import read
    from models.ctg.summary import trace_detail
    from models.synthetic.scenes import Scene

    def words(scene: Scene) -> str:
        analysis = analyse_trace(scene.done())
        return summary(trace_detail(analysis, read(analysis), "labour", ()))

    calm = Scene(60, 1).level((0.0, 140.0)).vary(9.0)
    assert words(calm).startswith("Baseline 1")
    assert "in the last ten minutes" in words(calm)
    lost = words(calm.lose(44))
    assert lost.startswith("100% of the signal at the end is lost. Baseline 1")
    assert "up to minute 44, the last that can be read" in lost
