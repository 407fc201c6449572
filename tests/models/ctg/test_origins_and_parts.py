"""What files say of time and person, gaps in EDF+, parts of one trace, FHIR, WFDB's formats, and the stored form."""

import io
import json
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest

from models.ctg.formats import read, read_all, stored
from models.errors import FormatError
from models.origin import Identity, identity
from models.synthetic.traces import as_wfdb, trace

RNG = np.random.default_rng(7)
HEART = np.round(140 + RNG.normal(0, 2, 2400))


def edf(values: np.ndarray = HEART, patient: edfio.Patient | None = None, **more: Any) -> bytes:
    """An EDF+ file with one heart rate at 4 Hz."""
    signal = edfio.EdfSignal(values, 4, label="FHR", physical_range=(0, 300))
    made = edfio.Edf(
        [signal],
        patient=patient,
        recording=edfio.Recording(startdate=date(2026, 10, 1)),
        starttime=time(22, 15),
        annotations=(edfio.EdfAnnotation(0, None, "start"),),
        **more,
    )
    stream = io.BytesIO()
    made.write(stream)
    return stream.getvalue()


def test_edf_says_when_and_who() -> None:
    who = edfio.Patient(code="MRN778899", sex="F", birthdate=date(1990, 2, 3), name="Invented_Maria")
    back = read({"Invented_Maria.edf": edf(patient=who)})
    assert back.origin.made_at == datetime(2026, 10, 1, 22, 15)
    assert back.origin.identity == Identity("mrn778899", "edf", "19900203")
    assert read({"a.edf": edf()}).origin.identity is None


@pytest.mark.parametrize("kind", [b"EDF+C", b"EDF+D"])
def test_a_jump_between_the_records_of_edf_is_lost_signal(kind: bytes) -> None:
    content = edf(data_record_duration=1)
    for record in range(300, 600):  # the second half begins five minutes later
        content = content.replace(f"+{record}\x14\x14".encode(), f"+{record + 300}\x14\x14".encode(), 1)
    back = read({"a.edf": content[:192] + kind + content[197:]})
    assert back.duration_s == 900.0
    np.testing.assert_allclose(back.fhr_bpm[:1200], HEART[:1200], atol=0.01)
    assert np.isnan(back.fhr_bpm[1200:2400]).all()
    np.testing.assert_allclose(back.fhr_bpm[2400:], HEART[1200:], atol=0.01)
    assert "5.0 min between the parts are lost signal" in back.remarks


def test_edf_records_out_of_order_are_refused() -> None:
    content = edf(data_record_duration=1).replace(b"+300\x14\x14", b"+200\x14\x14", 1)
    with pytest.raises(FormatError, match="overlap or are out of order"):
        read({"a.edf": content})


def test_edf_of_no_duration_or_many_signals_says_so() -> None:
    content = edf()
    with pytest.raises(FormatError, match="data records of 0 s"):
        read({"a.edf": content[:244] + b"0       " + content[252:]})
    with pytest.raises(FormatError, match="900 signals; 1 to 512 are read"):
        read({"a.edf": content[:252] + b"900 " + content[256:]})


def test_bdf_is_read() -> None:
    stream = io.BytesIO()
    edfio.Bdf([edfio.BdfSignal(HEART, 4, label="FHR1", physical_range=(0, 300))]).write(stream)
    np.testing.assert_allclose(read({"a.bdf": stream.getvalue()}).fhr_bpm, HEART, atol=0.01)


def test_fhrma_and_wfdb_say_when() -> None:
    sample = np.array([(560, 0, 320, 40, 1)] * 2400, dtype="<u2,<u2,<u2,u1,u1").tobytes()
    moment = datetime(2026, 10, 1, 20, 0, tzinfo=UTC)
    assert read({"a.fhrm": int(moment.timestamp()).to_bytes(4, "little") + sample}).origin.made_at == moment
    assert read({"a.fhrm": b"\0" * 4 + sample}).origin.made_at is None
    files = as_wfdb(trace(minutes=11, seed=1).recording, "rec")
    first, _, rest = files["rec.hea"].partition(b"\n")
    files["rec.hea"] = first + b" 22:15:00.5 01/10/2026\n" + rest
    assert read(files).origin.made_at == datetime(2026, 10, 1, 22, 15, 0, 500_000)


def test_placeholders_are_nobody() -> None:
    for nobody in ("", "0", "0000", "ANON", "Anonymous", "anonymized-17", "UNKNOWN", "X"):
        assert identity(nobody, "HOSP") is None
    assert identity("0", "", "19900203") == Identity("", "", "19900203")
    assert identity("MRN 7", "A", "1900-01-01") == Identity("mrn 7", "a", "")


def test_identities_differ_only_where_they_can_be_compared() -> None:
    maria = Identity("mrn1", "st anne", "19900203")
    assert maria.differs(Identity("mrn2", "st anne"))
    assert not maria.differs(Identity("mrn2", "st mary"))
    assert maria.differs(Identity("mrn2", "st mary", "19910203"))
    assert not maria.differs(Identity("mrn1", "st anne", "19910203"))
    assert not maria.differs(Identity("", "", ""))


def part(start: str | None, values: list[float], rate: float = 4.0) -> bytes:
    """A JSON trace with its start."""
    body = {"sampling_rate_hz": rate, "fhr_bpm": values, "toco": [10.0] * len(values)}
    return json.dumps(body | ({"started_at": start} if start else {})).encode()


def test_parts_of_one_trace_are_joined_by_their_times() -> None:
    first, second = [140.0] * 240, [150.0] * 240
    files = {"b.json": part("2026-10-01T22:03:00", second), "a.json": part("2026-10-01T22:00:00", first)}
    back = read(files)
    assert back.duration_s == 240.0
    np.testing.assert_array_equal(back.fhr_bpm[:240], first)
    assert np.isnan(back.fhr_bpm[240:720]).all()
    np.testing.assert_array_equal(back.fhr_bpm[720:], second)
    assert back.toco is not None
    assert "2 files were joined by their times: a.json, b.json" in back.remarks
    assert back.origin.made_at == datetime(2026, 10, 1, 22, 0)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (part(None, [150.0] * 240), "are 2 recordings, and not all say when they began"),
        (part("2026-10-01T22:03:00+02:00", [150.0] * 240), "not all say when they began"),
        (part("2026-10-01T22:00:30", [150.0] * 240), "overlap in time"),
        (part("2026-10-01T22:03:00", [150.0] * 240, 2.0), "different sampling rates"),
        (part("2026-10-03T22:03:00", [150.0] * 240), "more than 24 hours"),
    ],
)
def test_recordings_that_are_no_parts_are_refused_by_name(other: bytes, why: str) -> None:
    with pytest.raises(FormatError, match=why) as error:
        read({"a.json": part("2026-10-01T22:00:00", [140.0] * 240), "other.json": other})
    assert "a.json" in str(error.value)
    assert "other.json" in str(error.value)


def test_two_records_of_wfdb_are_not_one() -> None:
    files = as_wfdb(trace(minutes=11, seed=1).recording, "one") | as_wfdb(trace(minutes=11, seed=2).recording, "two")
    with pytest.raises(FormatError, match=r"one.hea and two.hea are 2 recordings"):
        read(files)


def test_a_rate_beside_any_file_must_agree() -> None:
    with pytest.raises(FormatError, match=r"a.json says 4 Hz, but 1 Hz was stated"):
        read({"a.json": part(None, [140.0] * 240)}, 1.0)


def observation(**more: Any) -> dict[str, Any]:
    """A FHIR observation of two channels."""

    def component(code: dict[str, Any], data: str) -> dict[str, Any]:
        sampled = {"origin": {"value": 0}, "period": 250, "dimensions": 1, "factor": 0.5, "data": data}
        return {"code": code, "valueSampledData": sampled}

    return {
        "resourceType": "Observation",
        "subject": {"reference": "Patient/7"},
        "component": [
            component({"coding": [{"system": "http://loinc.org", "code": "55283-6"}]}, "280 E 282 U L" + " 280" * 35),
            component({"text": "Toco"}, "20" + " 22" * 39),
        ],
        **more,
    }


def test_fhir_sampled_data() -> None:
    back = read({"a.json": json.dumps(observation(effectiveDateTime="2026-10-01T22:15:00+02:00")).encode()})
    assert back.sampling_rate_hz == 4.0
    np.testing.assert_array_equal(back.fhr_bpm[:6], [140, np.nan, 141, np.nan, np.nan, 140])
    assert back.toco is not None
    assert back.toco[1] == 11.0
    assert back.origin.made_at == datetime.fromisoformat("2026-10-01T22:15:00+02:00")
    bundle = {"resourceType": "Bundle", "entry": [{"resource": observation()}]}
    assert len(read({"a.json": json.dumps(bundle).encode()}).fhr_bpm) == 40


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"resourceType": "Patient"}, "a Patient holds no trace"),
        ({"resourceType": "Bundle", "entry": []}, "no sampled data of the fetal heart rate"),
        (observation(effectiveDateTime="2026-99-01T00:00"), "no date and time"),
        (
            {**observation(), "component": [{"code": {"text": "FHR"}, "valueSampledData": {"data": "1 2"}}]},
            "need a period",
        ),
    ],
)
def test_fhir_without_a_trace_is_refused(body: dict[str, Any], why: str) -> None:
    with pytest.raises(FormatError, match=why):
        read({"a.json": json.dumps(body).encode()})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("format_", [16, 24, 32, 61, 80, 160, 212, 310, 311, 508, 516, 524])
def test_every_format_of_wfdb_gives_the_samples_of_wfdb(format_: int, tmp_path: Path) -> None:
    import wfdb

    if format_ in (61, 160, 310, 311):  # the package reads them, but does not write them
        width = {61: 2, 160: 2, 310: 4, 311: 4}[format_]
        raw = RNG.integers(0, 256, 600 * width, dtype=np.uint8)
        if format_ == 311:
            raw[3::4] &= 0x3F  # two bits that no sample uses
        content = raw.tobytes()
        frames = 600 if format_ in (61, 160) else 1800
        lines = [f"r.dat {format_} 3(-400)/bpm 12 0 0 0 0 {name}" for name in ("FHR", "UC")]
        header = "\n".join([f"r 2 4 {frames // 2}", *lines])
        (tmp_path / "r.dat").write_bytes(content)
        (tmp_path / "r.hea").write_text(header + "\n")
        oracle = wfdb.rdrecord(str(tmp_path / "r"), physical=False)
        first = [int(column[0]) for column in oracle.d_signal.T]
        sums = [int(column.sum() % 65536) for column in oracle.d_signal.T]
        text = header.splitlines()[0]
        for k, name in enumerate(("FHR", "UC")):
            text += f"\nr.dat {format_} 3(-400)/bpm 12 0 {first[k]} {sums[k]} 0 {name}"
        (tmp_path / "r.hea").write_text(text + "\n")
    else:
        values = np.column_stack([RNG.integers(40, 120, 601), RNG.integers(0, 60, 601)])
        wfdb.wrsamp(
            "r", fs=4, units=["bpm", "nd"], sig_name=["FHR", "UC"], d_signal=values, fmt=[str(format_)] * 2,
            adc_gain=[1.0, 1.0], baseline=[0, 0], write_dir=str(tmp_path),
        )  # fmt: skip
    oracle = wfdb.rdrecord(str(tmp_path / "r"))
    back = read({path.name: path.read_bytes() for path in tmp_path.iterdir()})
    expected = oracle.p_signal[:, 0]
    possible = np.isfinite(expected) & (expected >= 30) & (expected <= 240)
    np.testing.assert_allclose(back.fhr_bpm, np.where(possible, expected, np.nan))
    assert back.toco is not None
    np.testing.assert_allclose(back.toco, oracle.p_signal[:, 1])


def test_signals_in_two_files_and_a_comment_in_latin_1() -> None:
    heart, toco = (np.arange(140, 150), np.arange(10))
    lines = [f"{n}.dat 16+2 1/x 12 0 {v[0]} {v.sum()} 0 {c}" for n, v, c in (("f", heart, "FHR"), ("u", toco, "UC"))]
    header = "\n".join(["r 2 4 10", *lines, "#Größe 1"]).encode("latin-1")
    files = {"r.hea": header, "f.dat": b"\0\0" + heart.astype("<i2").tobytes()}
    back = read(files | {"u.dat": b"\0\0" + toco.astype("<i2").tobytes()})
    np.testing.assert_array_equal(back.fhr_bpm, heart)
    with pytest.raises(FormatError, match=r"names u\.dat, which was not uploaded"):
        read(files)


def test_the_stored_form_keeps_every_bit_and_nothing_else() -> None:
    who = edfio.Patient(code="MRN778899", sex="F", birthdate=date(1990, 2, 3), name="Invented_Maria")
    recordings = read_all({"Invented_Maria.edf": edf(patient=who)})
    content = stored.write(recordings)
    assert content == stored.write(recordings)
    assert b"Maria" not in content
    (back,) = stored.read(content).recordings()
    np.testing.assert_array_equal(back.fhr_bpm, recordings[0].fhr_bpm)
    assert (back.sampling_rate_hz, back.source, back.toco) == (4.0, "EDF", None)
    assert back.origin.made_at is None
    with pytest.raises(FormatError, match="stored trace: damaged"):
        stored.read(content[:100])


def test_a_channel_that_is_no_heart_rate_is_not_replaced_by_the_other() -> None:
    values = {"sampling_rate_hz": 4, "fhr_bpm": [245.0, 246.0] * 40, "fhr2_bpm": [140.0] * 80}
    files = {"a.json": json.dumps(values).encode()}
    first, second = read_all(files)
    assert (first.channel, second.channel) == (1, 2)
    assert np.isnan(first.fhr_bpm).all()
    assert first.remarks == ("100 % of the values of heart-rate channel 1 are above 240 bpm and are taken as lost",)
    values["fhr_bpm"] = [511.0, 0.0] * 40
    (only,) = read_all({"a.json": json.dumps(values).encode()})
    assert only.channel == 2
