"""Scans in the record: what is stored of them, how they are corrected, dated and followed over visits."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.patients.store import Examination, StoredFile
from app.transactions import unit_of_work
from models.growth.measures import AC, BPD, FL, HC
from models.ultrasound.ellipse import Ellipse
from tests.app.conftest import browser
from tests.app.test_assessments import counts
from tests.examples import HEAD, HEAD_PNG, png
from tests.models.ultrasound.dicoms import US_MULTIFRAME, dicom, region

OUTLINE = {"centre_x": 400, "centre_y": 270, "semi_major": 240, "semi_minor": 185, "angle": 0.1}
WHOLE = {HC: "262", AC: "232", FL: "51.0"}


def send(client: TestClient, data: dict[str, str], *images: bytes) -> Any:
    files = [("image", (f"doe-jane-{k}.bin", content)) for k, content in enumerate(images)] or {"image": ("", b"")}
    return client.post("/api/v1/assessments", data={"patient": "P-1", **data}, files=files)


def made(client: TestClient, data: dict[str, str], *images: bytes) -> Any:
    answer = send(client, data, *images)
    assert answer.status_code == 201, answer.text
    return answer.json()


def detail(answer: Any) -> Any:
    return answer["result"]["growth"]["detail"]


def page(client: TestClient, identifier: int) -> str:
    answer = client.get(f"/assessments/{identifier}", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    return answer.text


def test_nothing_of_a_dicom_file_is_stored_but_grey_values_and_scale(api: TestClient) -> None:
    pixels = HEAD.copy()
    pixels[:30] = 255
    answer = made(api, {"scan_gestational_age": "28+0"}, dicom(pixels, [region((0, 30, 799, 539))]))
    (image,) = detail(answer)["images"]
    assert (image["width"], image["height"]) == (800, 510)
    assert image["pixel_size_mm"] == pytest.approx(0.12)
    assert image["scale_source"] == "DICOM region"
    assert set(answer["input_hashes"]) == {"scan-1.png"}
    with unit_of_work(api.app.state.sessions) as session:  # type: ignore[attr-defined]
        stored = [(file.name, file.content) for file in session.query(StoredFile)]
        kept = str([examination.parameters for examination in session.query(Examination)])
    for word in (b"Doe^Jane", b"St Elsewhere", b"doe-jane", b"19900101"):
        assert word.decode() not in kept
        assert all(word not in content and word.decode() not in name for name, content in stored)


@pytest.mark.slow
def test_several_images_and_a_clip(api: TestClient) -> None:
    clip = dicom(np.stack([HEAD, HEAD]), [region((0, 0, 799, 539))], US_MULTIFRAME)
    answer = made(api, {"scan_gestational_age": "28+0"}, clip, dicom(HEAD, [region((0, 0, 799, 539))]))
    assert len(detail(answer)["images"]) == 3
    assert set(answer["input_hashes"]) == {f"scan-{k}.png" for k in (1, 2, 3)}
    text = page(api, answer["id"])
    assert text.count("<figure") == 3
    assert "Image 3." in text
    for number in (1, 2, 3):
        assert api.get(f"/assessments/{answer['id']}/images/{number}").status_code == 200
    assert api.get(f"/assessments/{answer['id']}/images/4").status_code == 404
    refused = send(api, {}, *[HEAD_PNG] * 9)
    assert refused.status_code == 422
    assert "at most 8" in refused.json()["detail"]


def test_two_files_of_one_name_are_two_images(api: TestClient) -> None:
    files = [("image", ("IM0001", HEAD_PNG)), ("image", ("IM0001", png(HEAD[:, ::-1])))]
    answer = api.post("/api/v1/assessments", data={"patient": "P-1", "pixel_size_mm": "0.18"}, files=files).json()
    assert len(detail(answer)["images"]) == 2


def test_a_drawn_outline_is_kept_beside_the_models(api: TestClient) -> None:
    first = made(api, {"scan_gestational_age": "32+0", "pixel_size_mm": "0.18"}, HEAD_PNG)
    body = {**OUTLINE, "reason": "outline misses the occiput"}
    answer = api.post(f"/api/v1/assessments/{first['id']}/outline", json=body)
    assert answer.status_code == 201, answer.text
    corrected = detail(answer.json())["corrected"]
    expected = Ellipse(**OUTLINE).perimeter * 0.18
    assert corrected["values"][HC] == pytest.approx(expected)
    assert corrected["by"] == "clinician-1"
    assert corrected["at"]
    assert detail(answer.json())["measures"][HC]["source"] == "corrected"
    assert detail(answer.json())["images"] == detail(first)["images"]
    text = page(api, answer.json()["id"])
    assert f"{expected:.1f} mm" in text
    assert "outline misses the occiput" in text
    assert ('class="head model"' in text) == ("ellipse" in detail(first)["images"][0])
    assert "Replaced by" in page(api, first["id"])
    typed = api.post(f"/assessments/{answer.json()['id']}/head-circumference", data={HC: "300", "reason": "by hand"})
    last = int(typed.headers["location"].rsplit("/", 1)[1])
    assert detail(api.get(f"/api/v1/assessments/{last}").json())["measures"][HC]["source"] == "typed"
    drawn = api.post(f"/api/v1/assessments/{last}/outline", json=body).json()
    assert detail(drawn)["measures"][HC]["source"] == "corrected"  # the later correction counts
    again = api.post(f"/api/v1/assessments/{first['id']}/outline", json=body)
    assert again.status_code == 409


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"semi_minor": 300}, "minor semi-axis"),
        ({"semi_major": 1}, "greater than 5"),
        ({"image": 3}, "no image 4"),
        ({"reason": ""}, "at least 1"),
        ({"angle": "steep"}, "valid number"),
        ({"semi_major": 4000, "semi_minor": 3900}, "outside 40 to 450"),
    ],
)
def test_bad_outlines(api: TestClient, change: dict[str, Any], words: str) -> None:
    first = made(api, {"pixel_size_mm": "0.18", HC: "250"}, HEAD_PNG)
    before = counts(api)
    answer = api.post(f"/api/v1/assessments/{first['id']}/outline", json={**OUTLINE, "reason": "x", **change})
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert counts(api) == before


def test_a_scale_is_stated_afterwards(api: TestClient) -> None:
    first = made(api, {"scan_gestational_age": "32+0"}, HEAD_PNG)
    assert detail(first)["images"][0]["pixel_size_mm"] is None
    body = {"calliper": [100, 100, 100, 500, 72.0], "reason": "depth ruler"}
    answer = api.post(f"/api/v1/assessments/{first['id']}/scale", json=body)
    assert answer.status_code == 201, answer.text
    assert detail(answer.json())["images"][0]["pixel_size_mm"] == pytest.approx(0.18)
    assert detail(answer.json())["images"][0]["scale_source"] == "calliper"


def test_a_scale_that_the_file_states_is_not_overruled(api: TestClient) -> None:
    first = made(api, {}, dicom(HEAD, [region((0, 0, 799, 539))]))
    answer = api.post(f"/api/v1/assessments/{first['id']}/scale", json={"pixel_size_mm": 0.3, "reason": "x"})
    assert answer.status_code == 422
    assert "the file states" in answer.json()["detail"]
    for body in (
        {"reason": "x"},
        {"pixel_size_mm": 9, "reason": "x"},
        {"pixel_size_mm": 0.2, "image": 4, "reason": "x"},
    ):
        assert api.post(f"/api/v1/assessments/{first['id']}/scale", json=body).status_code == 422


def test_corrections_from_the_page(client: TestClient) -> None:
    csrf = {"csrf_token": browser(client, "clinician")}
    form = {**csrf, "patient": "P-2", "scan_gestational_age": "32+0", HC: "290"}
    where = client.post("/assessments/new", data=form, files={"image": ("a.png", HEAD_PNG)}).headers["location"]
    text = client.get(where).text
    assert "outline.js" in text
    assert "Correct the outline" in text
    assert "State the scale" in text
    scaled = client.post(f"{where}/scale", data={**csrf, "calliper": "100,100,100,500,72", "reason": "ruler"})
    assert scaled.status_code == 303
    drawn = client.post(
        f"{scaled.headers['location']}/outline", data={**csrf, "image": "0", **OUTLINE, "reason": "better"}
    )
    assert drawn.status_code == 303, drawn.text
    text = client.get(drawn.headers["location"]).text
    assert "drawn by clinician-1" in text
    assert (
        client.post(f"{drawn.headers['location']}/scale", data={**csrf, "calliper": "1,2", "reason": "x"}).status_code
        == 422
    )


def test_typed_measures_give_weight_ratios_and_the_consensus_criteria(api: TestClient) -> None:
    answer = made(api, {**WHOLE, "scan_gestational_age": "28+0", "umbilical_end_diastolic_flow": "absent"})
    growth = detail(answer)["growth"]
    assert growth["leading"] == "estimated_weight_g"
    assert growth["delphi"]["verdict"] == "met"
    assert [ratio["name"] for ratio in growth["ratios"]] == ["HC/AC", "FL/AC"]
    text = page(api, answer["id"])
    for words in (
        "Estimated weight",
        "Hadlock 1985 (HC, AC, FL)",
        "second-hand",
        "<b>Met</b>",
        "HC/AC",
        "Abdominal circumference by",
        "Age by size (4)",
    ):
        assert words in text
    other = made(api, {**WHOLE, "scan_gestational_age": "28+0", "weight_standard": "who-2017"})
    assert detail(other)["growth"]["sizes"][-1]["standard_key"] == "who-2017"


def test_growth_is_followed_over_visits(api: TestClient) -> None:
    data = {"due_date": "2026-06-01", "dating_method": "crown-rump length"}
    for day, abdomen in (("2026-02-09T10:00", "225"), ("2026-03-16T10:00", "258"), ("2026-04-20T10:00", "287")):
        answer = made(api, {**data, AC: abdomen, "scan_performed_at": day, "cerebroplacental_ratio_centile": "3"})
    (change,) = detail(answer)["growth"]["changes"]
    assert change["days"] == 70
    assert change["from_centile"] - change["to_centile"] > 50
    assert detail(answer)["growth"]["delphi"]["verdict"] == "met"
    text = page(api, answer["id"])
    assert "a fall of more than two quartiles" in text
    assert text.count('class="visit"') == 3
    timeline = api.get("/patients/P-1", headers={"Accept": "text/html"}).text
    assert timeline.count('class="visit"') == 3


def test_a_corrected_visit_counts_as_corrected(api: TestClient) -> None:
    data = {"due_date": "2026-06-01", "dating_method": "crown-rump length", "pixel_size_mm": "0.18"}
    first = made(api, {**data, "scan_performed_at": "2026-03-16T10:00", HC: "240"}, HEAD_PNG)
    outline = {**OUTLINE, "semi_major": 260, "semi_minor": 205, "reason": "better"}
    corrected = api.post(f"/api/v1/assessments/{first['id']}/outline", json=outline).json()
    sizes = {size["measure"]: size["centile"] for size in detail(corrected)["growth"]["sizes"]}
    later = made(api, {**data, "scan_performed_at": "2026-04-20T10:00", HC: "300"})
    (change,) = detail(later)["growth"]["changes"]
    assert change["from_centile"] == pytest.approx(sizes[HC])


def test_a_pregnancy_is_dated_once_by_period_length_or_scan(api: TestClient) -> None:
    by_length = {"patient": "P-2", "crown_rump_length_mm": "60", "crown_rump_length_on": "2026-01-05"}
    first = made(api, {**by_length, HC: "250", "scan_performed_at": "2026-04-20T10:00"})
    growth = detail(first)["growth"]
    assert growth["age_days"] == 87 + 105
    assert "crown-rump length" in growth["age_source"]
    locked = send(api, {"patient": "P-2", "last_menstrual_period": "2026-01-01", HC: "250"})
    assert locked.status_code in {409, 422}
    scan = made(api, {"patient": "P-3", HC: "260", AC: "233", FL: "51.3", "dates_pregnancy": "true"})
    growth = detail(scan)["growth"]
    assert growth["leading"] == AC
    assert [size["measure"] for size in growth["sizes"]] == [AC]
    assert sum("this very" in line for line in growth["not_judged"]) == 3
    later = made(api, {"patient": "P-3", HC: "262"})
    assert detail(later)["growth"]["sizes"][0]["measure"] == HC
    again = send(api, {"patient": "P-3", HC: "262", "dates_pregnancy": "true"})
    assert again.status_code == 409


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({HC: "26.0"}, "looks like cm"),
        ({"congenital_anomaly": "true"}, "needs an image or a typed measure"),
        ({AC: "233", "crown_rump_length_mm": "60"}, "needs the day"),
        ({AC: "233", "crown_rump_length_mm": "600", "crown_rump_length_on": "2026-01-05"}, "15 to 100"),
        ({AC: "233", "last_menstrual_period": "2019-01-05"}, "0 to 44 weeks"),
        ({AC: "233", "last_menstrual_period": "2026-09-05", "due_date": "2027-01-01"}, "one of"),
        ({AC: "233", "dates_pregnancy": "true"}, "head circumference"),
        ({AC: "233", "weight_standard": "mine"}, "weight_standard"),
        ({AC: "233", "uterine_artery_pi_centile": "120"}, "uterine_artery_pi_centile"),
        ({AC: "233", "uterine_artery_pi_centile": "20", "uterine_artery_pi_above_95th": "true"}, "contradict"),
        ({"pixel_size_mm": "0.1", "calliper": "0,0,0,400,50", BPD: "70"}, "either a pixel size"),
        ({"calliper": "0,0,400", BPD: "70"}, "calliper"),
    ],
)
def test_bad_scans_get_a_plain_answer_and_leave_nothing(api: TestClient, data: dict[str, str], words: str) -> None:
    answer = send(api, data)
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["detail"]
    assert counts(api) == (0, 0, 0)


@pytest.mark.parametrize(
    ("field", "flow", "state"),
    [
        ("umbilical_end_diastolic_flow", "reversed", "high"),
        ("umbilical_end_diastolic_flow", "absent", "raised"),
        ("ductus_venosus_a_wave", "absent", "high"),
        ("ductus_venosus_a_wave", "present", "cannot assess"),
    ],
)
def test_a_flow_alone_is_a_scan(api: TestClient, field: str, flow: str, state: str) -> None:
    answer = send(api, {field: flow})
    assert answer.status_code == 201, answer.text
    assert answer.json()["result"]["state"] == state
    assert answer.json()["result"]["score"] is None


def test_the_check_shows_scale_and_finding(client: TestClient) -> None:
    headers = {"x-csrf-token": browser(client, "clinician")}
    files = [("image", ("a.dcm", dicom(HEAD, [region((0, 0, 799, 539))]))), ("image", ("b.png", HEAD_PNG))]
    text = client.post("/check/image", files=files, headers=headers).text
    assert "0.12 mm per pixel" in text
    assert "Image 2: 800 x 540 pixels, no scale in the file" in text
