"""No crash, no hang, no outsized allocation: every parser on generated and on mutated files."""

import json
import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path

import edfio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.ctg.analysis import analyse
from models.ctg.formats import read_all
from models.errors import InputError
from models.synthetic.traces import as_csv, as_wfdb, trace

ENDINGS = ("hea", "dat", "csv", "tsv", "txt", "json", "edf", "bdf", "fhr", "fhrm")
MUTATIONS = 60
ALLOWED_BYTES = 2_000_000
FACTOR = 40  # a digit of text becomes a float, a Python object and a list cell


def attempt(files: Mapping[str, bytes], rate: float | None = None) -> None:
    """Read and analyse; only a plain refusal may come instead, and memory stays in proportion."""
    size = sum(map(len, files.values()))
    tracemalloc.start()
    try:
        for one in read_all(files, rate):
            if one.duration_s < 7200 and one.sampling_rate_hz <= 8:
                analyse(one)
    except InputError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < ALLOWED_BYTES + FACTOR * size


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(ENDINGS), st.binary(max_size=2000), st.sampled_from([None, 1.0, 4.0]))
def test_any_bytes(ending: str, content: bytes, rate: float | None) -> None:
    attempt({f"a.{ending}": content}, rate)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="0123456789 ./()-+ervdatFHRUC\n#:x", max_size=200), st.binary(max_size=400))
def test_any_wfdb_header(header: str, content: bytes) -> None:
    attempt({"r.hea": f"r 2 4 {header}\n".encode(), "r.dat": content})


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=20)
    )
)
def test_any_json_values(value: object) -> None:
    attempt({"a.json": json.dumps({"sampling_rate_hz": 4, "fhr_bpm": value}).encode()})


def originals(folder: Path) -> Iterator[dict[str, bytes]]:
    made = trace(minutes=11, seed=1).recording
    yield as_wfdb(made, "rec")
    yield {"a.csv": as_csv(made)[:20000]}
    heart = [None if np.isnan(v) else round(float(v), 1) for v in made.fhr_bpm[:2500]]
    yield {"a.json": json.dumps({"sampling_rate_hz": 4, "fhr_bpm": heart}).encode()}
    path = folder / "a.edf"
    edfio.Edf([edfio.EdfSignal(np.nan_to_num(made.fhr_bpm[:2400]), 4, label="FHR1", physical_range=(0, 300))]).write(
        path
    )
    yield {"a.edf": path.read_bytes()}
    sample = np.zeros(2500, dtype="<u2,<u2,<u2,u1,u1")
    sample["f0"] = np.nan_to_num(made.fhr_bpm[:2500]) * 4
    yield {"a.fhrm": b"\0" * 4 + sample.tobytes()}
    yield {"a.fhr": b"\0" * 4 + sample[["f0", "f1", "f3", "f4"]].astype("<u2,<u2,u1,u1").tobytes()}


@pytest.mark.slow
def test_mutated_files(tmp_path: Path) -> None:
    analyse(trace(minutes=11, seed=2).recording)  # loads what it needs, which is no memory of a file
    rng = np.random.default_rng(0)
    for files in originals(tmp_path):
        attempt(files)
        for _ in range(MUTATIONS):
            attempt(mutated(files, rng))


def mutated(files: Mapping[str, bytes], rng: np.random.Generator) -> dict[str, bytes]:
    """One file with bytes changed, a piece cut out or doubled, or its end missing."""
    name = sorted(files)[int(rng.integers(len(files)))]
    content = bytearray(files[name])
    how = int(rng.integers(4))
    first, last = sorted(int(n) for n in rng.integers(0, min(len(content), 600) if how == 0 else len(content), 2))
    if how == 0:
        for place in rng.integers(first, last + 1, 8):
            content[min(int(place), len(content) - 1)] = int(rng.integers(256))
    elif how == 1:
        del content[first:last]
    elif how == 2:
        content[first:first] = content[first:last]
    else:
        del content[last:]
    return {**files, name: bytes(content)}
