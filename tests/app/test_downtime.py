"""The open cases as files that can be read without the server."""

import re
from pathlib import Path

from fastapi.testclient import TestClient

from models.synthetic.beats import beats
from models.synthetic.traces import as_csv
from tests.app.conftest import browser
from tests.examples import HEAD_PNG, HEALTHY

LABOUR = as_csv(beats(minutes=60, baseline_bpm=150, accelerations=0, decelerations=True, seed=4).recording)


def test_open_cases_are_written_and_signed_ones_are_not(client: TestClient, cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    form = {"csrf_token": browser(client, "clinician")}
    data = {**form, "patient": "P-<1>".replace("<", "").replace(">", ""), "ctg_stage": "labour"}
    data |= {"scan_gestational_age": "36+0", "pixel_size_mm": "0.18"}
    files = [("ctg", ("t.csv", LABOUR)), ("image", ("h.png", HEAD_PNG))]
    first = client.post("/assessments/new", data=data, files=files).headers["location"]
    client.post(f"{first}/notes", data={**form, "text": "call <b>Dr Who</b>"})
    headers = {"x-csrf-token": form["csrf_token"]}
    second = {"patient": {"pseudonym": "P-2"}, "ctg": {"features": HEALTHY}}
    signed = client.post("/api/v1/assessments", json=second, headers=headers).json()["url"]
    client.post(f"{signed}/review", data={**form, "verdict": "agree"})
    client.post(f"{signed}/sign", data=form)
    folder = tmp_path / "downtime"
    output = cli("export", "--downtime", str(folder)).output
    assert "1 open cases of the last 24 hours" in output
    assert sorted(path.name for path in folder.iterdir()) == ["assessment-1.html", "downtime.css", "index.html"]
    index, case = ((folder / name).read_text() for name in ("index.html", "assessment-1.html"))
    assert 'href="assessment-1.html"' in index
    assert "P-2" not in index
    for words in ("Research prototype. Not a medical device.", "P-1", "call &lt;b&gt;Dr Who&lt;/b&gt;", "<svg", "36+0"):
        assert words in case
    assert case.count("data:image/png;base64,") == 1
    for page in (index, case):  # nothing is loaded from anywhere
        assert not re.findall(r'(?:src|href)="(?!data:|assessment-|downtime.css)[^"]*"', page)
        assert "<script" not in page
    assert (folder / "index.html").stat().st_mode & 0o077 == 0
    again = cli("export", "--downtime", str(folder))
    assert "name an empty folder" in str(again.exception)
    last = cli("export", "--downtime", str(tmp_path / "b"), "--hours", "1")
    assert "1 open cases of the last 1 hours" in last.output
