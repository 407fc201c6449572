"""When and of whom: what files say against what was stated, over the API, the pages and the command line."""

import json
import sqlite3
import tarfile
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest
from starlette.testclient import TestClient

from app.identity import KEY_FILE, differ, key_of, marks_of
from app.settings import Settings
from models.errors import FetalHealthError
from models.origin import Identity
from models.synthetic.traces import as_csv, as_wfdb, trace
from tests.app.conftest import browser
from tests.examples import HEAD
from tests.models.ultrasound.dicoms import US_MULTIFRAME, dicom, region

NOW = datetime.now(UTC)
# 34+1 weeks today.
DUE = (NOW + timedelta(days=280 - 239)).date()
DATED = {"due_date": DUE.isoformat(), "dating_method": "crown-rump length"}
CTG = trace(minutes=25, seed=4).recording


def scan(days_ago: int = 30, mark: int = 0, **elements: Any) -> bytes:
    """A DICOM head that was acquired some days ago; `mark` makes the picture another one."""
    pixels = HEAD.copy()
    pixels[0, 0] = mark
    made = {"AcquisitionDateTime": f"{NOW - timedelta(days=days_ago):%Y%m%d}101500", "PatientID": "12345", **elements}
    return dicom(pixels, [region((0, 0, 799, 539), (0.019, 0.019))], **made)


def edf(started: datetime, code: str = "MRN778899", name: str = "Invented_Maria") -> bytes:
    """A CTG of a named woman."""
    signals = [edfio.EdfSignal(np.nan_to_num(CTG.fhr_bpm), 4, label="FHR", physical_range=(0, 300))]
    who = edfio.Patient(code=code, sex="F", birthdate=date(1990, 1, 1), name=name)
    clock = time(started.hour, started.minute)
    recording = edfio.Recording(startdate=started.date())
    return edfio.Edf(signals, patient=who, recording=recording, starttime=clock).to_bytes()


def send(client: TestClient, data: dict[str, str], ctg: dict[str, bytes] | None = None, *images: bytes) -> Any:
    files = [("ctg", (name, content)) for name, content in (ctg or {}).items()]
    files += [("image", (f"i{k}.dcm", content)) for k, content in enumerate(images)] or [("image", ("", b""))]
    return client.post("/api/v1/assessments", data={"patient": "P-1", **data}, files=files)


def made(client: TestClient, data: dict[str, str], ctg: dict[str, bytes] | None = None, *images: bytes) -> Any:
    answer = send(client, data, ctg, *images)
    assert answer.status_code == 201, answer.text
    return answer.json()


def refused(client: TestClient, data: dict[str, str], ctg: dict[str, bytes] | None = None, *images: bytes) -> str:
    answer = send(client, data, ctg, *images)
    assert answer.status_code == 422, answer.text
    return str(answer.json()["detail"])


def test_the_time_of_a_file_is_the_time_of_its_examination(api: TestClient) -> None:
    answer = made(api, DATED, None, scan(30))
    (examination,) = answer["examinations"]
    assert examination["kind"] == "scan"
    assert examination["performed_at"].startswith(f"{NOW - timedelta(days=30):%Y-%m-%d}T10:15")
    assert examination["performed_at_source"] == "file"
    assert examination["gestational_age_days"] == 209
    assert "due date" in examination["age_source"]
    started = NOW - timedelta(days=50)
    (ctg,) = made(api, DATED, {"a.edf": edf(started)})["examinations"]
    assert (ctg["gestational_age_days"], ctg["performed_at_source"]) == (189, "file")


def test_a_scan_is_as_far_from_the_ctg_as_the_files_say(api: TestClient) -> None:
    answer = made(api, DATED, {"a.edf": edf(NOW - timedelta(days=1))}, scan(61))
    assert any("60 days from the CTG" in line for line in answer["result"]["missing"])


def test_a_stated_time_that_differs_needs_a_reason_and_both_are_shown(api: TestClient) -> None:
    data = DATED | {"scan_performed_at": f"{NOW - timedelta(days=3):%Y-%m-%dT%H:%M}"}
    detail = refused(api, data, None, scan(30))
    assert "but" in detail
    assert "scan_performed_at_reason" in detail
    answer = made(api, data | {"scan_performed_at_reason": "the clock of the scanner is wrong"}, None, scan(30))
    assert answer["examinations"][0]["gestational_age_days"] == 236
    assert answer["examinations"][0]["performed_at_source"] == "stated"
    (warning,) = [line for line in answer["result"]["warnings"] if "the clock of the scanner is wrong" in line]
    assert f"{NOW - timedelta(days=30):%Y-%m-%d} 10:15" in warning
    near = f"{NOW - timedelta(days=30):%Y-%m-%d}T20:00"
    assert made(api, DATED | {"patient": "P-2", "scan_performed_at": near}, None, scan(30, 2))


def test_with_a_zone_a_quarter_of_an_hour_matters(api: TestClient) -> None:
    zoned = scan(30, TimezoneOffsetFromUTC="+0000")
    data = DATED | {"scan_performed_at": f"{NOW - timedelta(days=30):%Y-%m-%d}T11:00"}
    assert "but" in refused(api, data, None, zoned)
    assert made(api, data | {"scan_performed_at": f"{NOW - timedelta(days=30):%Y-%m-%d}T10:20"}, None, zoned)


@pytest.mark.parametrize(
    ("days_ago", "why"), [(-40, "lies in the future"), (300, "lies outside this pregnancy"), (400, "lies outside")]
)
def test_an_impossible_time_of_a_file_is_asked_back(api: TestClient, days_ago: int, why: str) -> None:
    detail = refused(api, DATED, None, scan(days_ago))
    assert why in detail
    assert "scan_performed_at" in detail
    stated = {"scan_performed_at": f"{NOW - timedelta(days=2):%Y-%m-%dT%H:%M}"}
    assert made(api, DATED | stated, None, scan(days_ago))["examinations"][0]["performed_at_source"] == "stated"


def test_nobody_knows_the_time(api: TestClient) -> None:
    for number, image in enumerate((scan(0, AcquisitionDateTime="19000101", StudyDate=""), png_scan())):
        answer = made(api, DATED | {"patient": f"P-{number}"}, None, image)
        assert answer["examinations"][0]["performed_at_source"] == "taken as today"
        assert any("taken as today, and so is the age" in line for line in answer["result"]["warnings"])
    page = api.get(f"/assessments/{answer['id']}", headers={"Accept": "text/html"}).text
    assert "taken as today" in page


def png_scan() -> bytes:
    """A DICOM picture without any date."""
    return dicom(HEAD[:, :700], [region((0, 0, 699, 539))], StudyDate="", PatientID="")


def test_a_time_in_the_future_is_refused(api: TestClient) -> None:
    later = {"ctg_performed_at": f"{NOW + timedelta(days=200):%Y-%m-%dT%H:%M}"}
    assert "lies in the future" in refused(api, later, {"a.csv": as_csv(CTG)})


def test_images_of_two_women_or_two_days_are_no_scan(api: TestClient) -> None:
    assert "of different women" in refused(api, {}, None, scan(30), scan(30, PatientID="999"))
    assert "of different days" in refused(api, {}, None, scan(30), scan(31))
    for placeholder in ("", "0", "ANON", "anonymous"):
        other = scan(30, 100 + len(placeholder), PatientID=placeholder, PatientBirthDate="")
        assert made(api, {"patient": f"P{len(placeholder)}"}, None, scan(30, 1 + len(placeholder)), other)
    two = made(
        api, {"patient": "P-9"}, None, scan(30, 8, StudyInstanceUID="1.2.3"), scan(30, 9, StudyInstanceUID="1.2.4")
    )
    assert any("2 studies of one day" in line for line in two["result"]["remarks"])


def test_only_identifiers_of_one_issuer_are_compared_between_ctg_and_scan(api: TestClient) -> None:
    ctg = {"a.edf": edf(NOW - timedelta(days=30))}
    assert made(api, DATED, ctg, scan(30, IssuerOfPatientID="St Anne"))
    bundle = {
        "resourceType": "Observation",
        "subject": {"reference": "Patient/8"},
        "code": {"text": "FHR"},
        "valueSampledData": {"period": 250, "data": " ".join(["140", "141"] * 3000), "dimensions": 1},
    }
    other = scan(30, PatientID="Patient/9", IssuerOfPatientID="FHIR reference")
    assert "are of different women" in refused(api, {"patient": "P-2"}, {"o.json": json.dumps(bundle).encode()}, other)


def test_another_identity_than_before_is_asked_back(api: TestClient) -> None:
    made(api, DATED, None, scan(30))
    detail = refused(api, {}, None, scan(20, PatientID="999"))
    assert "names another woman than the earlier files of P-1" in detail
    assert made(api, {"identity_reason": "her number changed"}, None, scan(20, PatientID="999"))


def test_the_same_file_for_another_woman_is_asked_back(api: TestClient) -> None:
    files = {"a.csv": as_csv(CTG)}
    made(api, {}, files)
    made(api, {}, files)
    assert "stored for another woman" in refused(api, {"patient": "P-2"}, {"renamed.csv": as_csv(CTG)})
    assert made(api, {"patient": "P-2", "identity_reason": "it was stored for the wrong woman"}, files)


def test_names_leave_nothing_behind(api: TestClient, settings: Settings, cli: Any, caplog: Any, tmp_path: Path) -> None:
    answer = made(api, DATED, {"Invented_Maria_MRN778899.edf": edf(NOW - timedelta(days=3))}, scan(3))
    wfdb = as_wfdb(CTG.part(0, 1300), "maria")
    wfdb["maria.hea"] += b"#Name Invented Maria MRN778899\n"
    made(api, DATED | {"patient": "P-2"}, wfdb)
    assert set(answer["input_hashes"]) == {"ctg-1.edf", "scan-1.png"}
    backup = tmp_path / "backup.tar.gz"
    assert cli("backup", str(backup)).exit_code == 0
    database = settings.home / "fetal-health.db"
    with sqlite3.connect(database) as connection:
        dump = "\n".join(connection.iterdump())
    contents = [path.read_bytes() for path in settings.home.rglob("*") if path.is_file()]
    with tarfile.open(backup) as archive:
        contents += [member.read() for entry in archive if (member := archive.extractfile(entry)) is not None]
    for word in ("Maria", "MRN778899", "Doe^Jane", "maria.hea"):
        assert word not in dump
        assert word not in caplog.text
        assert all(word.encode() not in content for content in contents)


def test_a_stored_trace_gives_the_same_answer_again(api: TestClient) -> None:
    for number, (name, content) in enumerate({"a.csv": as_csv(CTG), "b.edf": edf(NOW - timedelta(days=3))}.items()):
        answer = made(api, {"patient": f"P-{number}"}, {name: content})
        assert api.post(f"/api/v1/assessments/{answer['id']}/repeat").json() == {"same": True, "differences": []}


def test_what_was_not_used_is_said_in_the_answer(api: TestClient) -> None:
    lines = as_csv(CTG).decode().splitlines()
    first = next(k for k, line in enumerate(lines) if not line.startswith("#"))
    table = "\n".join([*lines[:first], f"{lines[first]},SpO2", *(f"{line},98" for line in lines[first + 1 :])])
    remarks = made(api, {}, {"a.csv": table.encode()})["result"]["remarks"]
    assert "CTG file: not used: SpO2." in remarks


def test_surplus_and_doubled_input_is_refused_by_name(api: TestClient) -> None:
    two = {"a.csv": as_csv(CTG), "b.edf": edf(NOW - timedelta(days=3))}
    assert "a.csv and b.edf are 2 recordings" in refused(api, {}, two)
    assert "notes.pdf: not a CTG file" in refused(api, {}, {"a.csv": as_csv(CTG), "notes.pdf": b"%PDF-"})
    doubled = api.post(
        "/api/v1/assessments",
        content=b'--x\r\nContent-Disposition: form-data; name="patient"\r\n\r\nP-1\r\n'
        b'--x\r\nContent-Disposition: form-data; name="patient"\r\n\r\nP-2\r\n--x--\r\n',
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert doubled.status_code == 422
    assert "patient was sent 2 times" in doubled.text


def test_a_column_map_over_form_and_command_line(api: TestClient, cli: Any, tmp_path: Path) -> None:
    table = "x1;x2\n" + "\n".join(f"{k / 4};{140 + k % 3}" for k in range(6000))
    assert "no column of the fetal heart rate" in refused(api, {}, {"a.csv": table.encode()})
    answer = made(api, {"ctg_columns": "x1:time,x2:fhr1"}, {"a.csv": table.encode()})
    assert api.get(f"/assessments/{answer['id']}/trace").json()["seconds"][-1] > 1498
    path = tmp_path / "a.csv"
    path.write_text(table)
    assert cli("analyse", str(path), "--columns", "x1:time,x2:fhr1").exit_code in (0, 3)
    by_command = cli("assess", "--ctg", str(path), "--columns", "x1:time,x2:fhr1")
    assert json.loads(by_command.output)["examinations"][0]["performed_at_source"] == "taken as today"


def test_the_check_says_when_and_of_whom(client: TestClient, tokens: dict[str, str]) -> None:
    bearer = {"Authorization": f"Bearer {tokens['clinician']}"}
    files = [("image", ("a", scan(30)))]
    client.post("/api/v1/assessments", data={"patient": "P-1", **DATED}, files=files, headers=bearer)
    csrf = {"X-CSRF-Token": browser(client, "clinician")}

    def check(kind: str, content: bytes, **data: str) -> str:
        name = "a.edf" if kind == "ctg" else "a.dcm"
        return client.post(f"/check/{kind}", data=data, files={kind: (name, content)}, headers=csrf).text

    same = check("image", scan(20), patient="P-1")
    assert "The file names the woman of her earlier files." in same
    assert f"The file says {NOW - timedelta(days=20):%Y-%m-%d} 10:15" in same
    assert "circumference" in same
    assert 'src="data:image/png;base64,' in same
    assert "names another woman" in check("image", scan(20, PatientID="999"), patient="P-1")
    assert "lies in the future: enter the time" in check("image", scan(-30), patient="P-1")
    assert "does not say of whom it is" in check("image", scan(20, PatientID="0", PatientBirthDate=""))
    trace_ = check("ctg", edf(NOW - timedelta(days=3)))
    assert "EDF, 25 min at 4 Hz: fetal heart rate." in trace_
    assert f"The file says {NOW - timedelta(days=3):%Y-%m-%d}" in trace_
    assert "Maria" not in trace_


def test_a_head_of_another_age_or_scale_is_not_judged(api: TestClient) -> None:
    answer = made(api, DATED | {"head_circumference_mm": "169", "patient": "P-5"})
    growth = answer["result"]["growth"]
    assert (growth["probability"], growth["verdict"], growth["because"]) == (None, "not judged", "check scale and age")
    start = "Check scale and age: head circumference 169 mm (-"
    assert any(line.startswith(start) for line in answer["result"]["warnings"])


def test_marks_reveal_nothing_and_compare(tmp_path: Path) -> None:
    key = key_of(tmp_path)
    assert key == key_of(tmp_path)
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    one = marks_of(key, Identity("mrn1", "anne", "19900203"))
    assert "mrn1" not in str(one)
    assert not differ(one, marks_of(key, Identity("mrn1", "anne")))
    assert differ(one, marks_of(key, Identity("mrn2", "anne")))
    assert not differ(one, marks_of(key, Identity("mrn2", "mary")))
    assert differ(one, marks_of(key, Identity("", "", "19910203")))
    assert not differ(one, marks_of(bytes(32), Identity("mrn2", "anne")))
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(FetalHealthError, match="is damaged"):
        key_of(tmp_path)


def test_the_check_of_a_clip_names_its_clearest_frame(client: TestClient) -> None:
    csrf = {"X-CSRF-Token": browser(client, "clinician")}
    clip = dicom(np.stack([np.zeros_like(HEAD), HEAD]), [region((0, 0, 799, 539))], sop_class=US_MULTIFRAME)

    def check(**data: str) -> str:
        return client.post("/check/image", data=data, files={"image": ("a.dcm", clip)}, headers=csrf).text

    assert "The clearest outline is that of image 2." in check()
    chosen = check(frame="2")
    assert "Image 1: 800 x 540" in chosen
    assert "Image 2" not in chosen
    assert "frame 3 of 2 does not exist" in check(frame="3")
    assert "must be numbers" in check(frame="last")
