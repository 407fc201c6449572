"""Network weights and fusion sums under masks, through Flower: the same result, nothing of one site at the server."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federated.plan import load
from federated.run.folder import RunFolder
from federated.sites.simulated import make_sites
from models.errors import InputError
from models.synthetic import datasets
from tests.conftest import need

PLAN = """
name = "masked"
seed = 3
synthetic = true
[acidaemia]
sites = 3
alpha = 5.0
rounds = 2
calibration_folds = 2
[ultrasound]
sites = 3
alpha = 5.0
rounds = 1
folds = 2
"""
SECURE = "[privacy]\nsecure_sums = true\n"
# What reaches the server is noted, before anything is made of it.
PROGRAM = """
import json, sys
from pathlib import Path
import federated.transport.grid as grid
real, seen = grid.unpack, []
def unpack(content):
    whole = real(content)
    seen.append({name: sum(a.numpy().nbytes for a in record.values()) for name, record in whole.array_records.items()})
    return whole
grid.unpack = unpack
from federated.job import simulate
from federated.run.folder import RunFolder
run = RunFolder(Path(sys.argv[1]))
simulate(run, int(sys.argv[2]))
(run.path / "seen.json").write_text(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunFolder]:
    """The same plan without and with masks."""
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")
    top = tmp_path_factory.mktemp("masked")
    datasets.write(top / "data", women=30, records=36, examinations=24, seed=1)
    made = {}
    for name, more in (("plain", ""), ("secure", SECURE)):
        run = made[name] = RunFolder(top / name)
        (run.path / "plan.toml").write_text(PLAN + more)
        sites = make_sites(load(run.path / "plan.toml"), top / "data", run.sites)
        line = [sys.executable, "-c", PROGRAM, str(run.path), str(len(sites))]
        done = subprocess.run(line, capture_output=True, text=True, timeout=280, check=False)
        assert (run.path / "results.json").exists(), done.stdout + done.stderr
    return made


def results(run: RunFolder) -> dict[str, Any]:
    return dict(json.loads((run.path / "results.json").read_text()))


@pytest.mark.soak
@pytest.mark.network
def test_the_masked_weights_are_those_in_clear(both: dict[str, RunFolder]) -> None:
    plain, secure = both["plain"].weights("ultrasound"), both["secure"].weights("ultrasound")
    assert plain is not None
    assert secure is not None
    # One round: a second would amplify the rounding of the first, differently on every processor.
    assert plain[0] == secure[0] == 1
    for name, values in plain[1].items():
        np.testing.assert_allclose(secure[1][name], values, atol=1e-6, err_msg=name)


@pytest.mark.soak
@pytest.mark.network
def test_the_fusion_learned_under_masks_is_that_in_clear(both: dict[str, RunFolder]) -> None:
    plain, secure = (results(both[name])["acidaemia"]["fusion"] for name in ("plain", "secure"))
    if plain is None:  # sites with fewer than five births told nothing in clear
        births = 1 if secure is None else secure["metrics"]["births_with_size"]
        assert births > 0
    else:
        assert secure["metrics"]["method"] == plain["metrics"]["method"]
        assert secure["metrics"]["births_with_size"] >= plain["metrics"]["births_with_size"]


@pytest.mark.soak
@pytest.mark.network
def test_no_single_update_reaches_the_server_and_bytes_are_twice_the_plain_ones(both: dict[str, RunFolder]) -> None:
    seen = {name: json.loads((run.path / "seen.json").read_text()) for name, run in both.items()}
    weights = max(reply.get("model", 0) for reply in seen["plain"])
    assert weights > 100_000
    assert not [reply for reply in seen["secure"] if reply.get("model", 0) >= weights]
    masked = max(reply.get("masked", 0) for reply in seen["secure"])
    assert masked <= 2.01 * weights


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('[ultrasound.compression]\nkind = "int8"\n', "compressed updates cannot be masked"),
        ('[ultrasound.aggregation]\nrule = "krum"\n', "only the mean by examples is a sum"),
        ('[ultrasound.aggregation]\nweights = "equal"\n', "only the mean by examples is a sum"),
    ],
)
def test_what_is_no_sum_is_refused_under_masks(tmp_path: Path, more: str, words: str) -> None:
    (tmp_path / "plan.toml").write_text(PLAN + more + SECURE)
    with pytest.raises(InputError, match=words):
        load(tmp_path / "plan.toml")
