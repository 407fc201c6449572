"""The panel grader from a hospital's readings to a bundle that grades a trace."""

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from federated.candidate.gate import judge
from federated.plan import GatePlan, GraderPlan, load, shipped_plans
from federated.run.control import command, prepare
from federated.sites.data import read_graded
from federated.sites.partition import dirichlet_sites
from federated.trees.rounds import frame_of
from federated.trees.site import TreeSite
from federated.trees.summaries import kappa
from federated.trees.tasks import PANEL, grader_rows, task_of
from models.bundle import GRADER_FILES, Bundle
from models.ctg.analysis import analyse
from models.ctg.boosting import booster_from
from models.ctg.grader import READINGS, PanelGrader
from models.ctg.pattern import Decision
from models.fusion.distress import distress_part
from models.fusion.inputs import CtgInput
from models.fusion.panel_reading import PANEL_WARNING, panel_reading
from models.synthetic.datasets import MARK, write_panel
from models.synthetic.traces import trace
from studies.in_process import train_sites

PLAN = GraderPlan(sites=2, rounds=15, calibration_folds=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readings")
    write_panel(folder / "panel", women=24, seed=3)
    (folder / MARK).touch()
    return folder


@pytest.fixture(scope="module")
def grader(data: Path) -> PanelGrader:
    graded = read_graded(str(data / "panel"))
    site_of = dirichlet_sites(graded.woman, graded.reading, sites=2, alpha=5.0, seed=1)
    sites = []
    for k in range(2):
        own = graded.rows(np.flatnonzero(site_of == k))
        sites.append(TreeSite(f"s{k}", grader_rows(own.woman, own.reading, own.features, PLAN), PLAN, seed=2))
    document, calibration = train_sites(sites, PLAN, frame_of(PLAN))[PANEL]
    low, high = np.nanpercentile(graded.features, [0.5, 99.5], axis=0)
    return PanelGrader(booster_from(document), calibration, Decision(), (low, high))


def recording(late: bool, minutes: float = 40.0) -> CtgInput:
    """A healthy trace, or one with late decelerations, as the panel read them."""
    made = trace(
        minutes=minutes,
        baseline_bpm=150 if late else 135,
        variability_bpm=5 if late else 11,
        accelerations=0 if late else 5,
        late_decelerations=late,
        seed=77,
    )
    return CtgInput(analysis=analyse(made.recording), stage="labour")


@pytest.fixture
def graded_bundle(bundle: Bundle, grader: PanelGrader) -> Bundle:
    """The shipped bundle with the grader of two hospitals."""
    made = Bundle(bundle.folder)
    made.__dict__["grader"] = grader  # a cached property
    return made


@pytest.mark.slow
def test_the_grader_reads_as_its_panel_did(graded_bundle: Bundle) -> None:
    healthy, late = recording(False), recording(True)
    assert healthy.analysis is not None
    assert late.analysis is not None
    calm, grave = panel_reading(graded_bundle, healthy.analysis), panel_reading(graded_bundle, late.analysis)
    assert calm is not None
    assert grave is not None
    assert (calm["reading"], grave["reading"]) == (READINGS[0], READINGS[2])
    assert sum(grave["probabilities"].values()) == pytest.approx(1.0)
    assert grave["window_s"] == [600.0, 2400.0]


@pytest.mark.slow
def test_a_pathological_reading_warns_and_changes_no_state(bundle: Bundle, graded_bundle: Bundle) -> None:
    ours, plain = distress_part(graded_bundle, recording(True)), distress_part(bundle, recording(True))
    assert [w for w in ours.warnings if w not in plain.warnings] == [PANEL_WARNING]
    assert ours.part.detail["panel"]["reading"] == READINGS[2]
    assert (ours.distress, ours.trace, ours.thresholds) == (plain.distress, plain.trace, plain.thresholds)
    assert "panel" not in plain.part.detail
    antepartum = replace(recording(True), stage="antepartum")
    assert "panel" not in distress_part(graded_bundle, antepartum).part.detail


@pytest.mark.slow
def test_what_the_panel_never_read_is_not_graded(graded_bundle: Bundle) -> None:
    short = recording(False, minutes=25.0)
    assert short.analysis is not None
    answer = panel_reading(graded_bundle, short.analysis)
    assert answer is not None
    assert answer["refusal"] == "the trace is shorter than 30 min"
    grader = graded_bundle.grader
    assert grader is not None
    graded_bundle.__dict__["grader"] = replace(grader, training_range=(np.full(75, 900.0), np.full(75, 901.0)))
    healthy = recording(False)
    assert healthy.analysis is not None
    answer = panel_reading(graded_bundle, healthy.analysis)
    assert answer is not None
    assert "unlike those that the panel read" in answer["refusal"]


def test_the_task_is_that_of_the_plan() -> None:
    task = task_of(PLAN)
    assert (task.outputs, task.classes, list(task.targets)) == (3, 3, [PANEL])


def test_kappa_is_agreement_beyond_chance() -> None:
    assert kappa(np.diag([5, 3, 2])) == 1.0
    assert kappa(np.full((3, 3), 4)) == 0.0
    assert kappa(np.diag([9, 0, 0])) == 0.0
    from sklearn.metrics import cohen_kappa_score

    counts = np.array([[20, 5, 1], [4, 9, 3], [0, 2, 7]])
    true, given = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices((3, 3)))
    assert kappa(counts) == pytest.approx(cohen_kappa_score(true, given), abs=1e-4)


def test_the_gate_compares_graders() -> None:
    def manifest(macro_f1: float) -> dict[str, object]:
        return {"metrics": {"grader": {"macro_f1": macro_f1}}, "sites": {"grader": {}}}

    (verdict,) = judge(manifest(0.5), manifest(0.7), GatePlan())
    assert (verdict.what, verdict.passed) == ("macro_f1, all sites", False)


@pytest.mark.soak
@pytest.mark.network
def test_a_flower_run_makes_a_bundle_with_a_grader(data: Path, tmp_path: Path, bundle: Bundle) -> None:
    plan = load(shipped_plans()["grader"])
    assert plan.grader is not None
    short = plan.model_copy(update={"grader": plan.grader.model_copy(update={"rounds": 3, "sites": 2})})
    path, _ = prepare(tmp_path / "runs", short)
    subprocess.run(command(path, data, bundle.folder), check=False, timeout=280)  # the gate refuses synthetic data
    made = Bundle(path / "candidate")
    assert set(GRADER_FILES) <= set(made.manifest["files"])
    assert made.grader is not None
    assert set(made.manifest["metrics"]) == {"ctg", "acidaemia", "grader", "ultrasound"}
    assert made.manifest["metrics"]["grader"]["windows"] > 30
    assert "panel grader" in (made.folder / "MODEL_CARD.md").read_text()
    licence = (made.folder / "LICENSE").read_text()
    assert "grader.ubj: derived from synthetic, in the layout of panel readings" in licence
