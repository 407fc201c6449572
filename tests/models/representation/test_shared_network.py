"""Parts of the shared network, and its training on one modality (where torch is installed)."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.representation.alignment import Moments
from models.representation.examples import CLASSES, COLUMNS, TASKS, Examples, Modality
from models.representation.network import EMBEDDING, SharedNetwork, parts_of
from models.representation.training import LocalTraining, Targets, embeddings, predictions, train_shared


def examples(modality: Modality, n: int = 60, seed: int = 0) -> Examples:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, len(COLUMNS[modality])))
    features[rng.random(features.shape) < 0.05] = np.nan
    score = np.nan_to_num(features[:, 0])
    labels = {task: np.digitize(score, np.linspace(-0.7, 0.7, CLASSES[task] - 1)) for task in TASKS[modality]}
    return Examples(
        modality, features, labels, np.ones(n), np.array([f"g{k}" for k in range(n)]), np.zeros(n, np.int64)
    )


def train(network: SharedNetwork, rows: Examples, **options: object) -> list[float]:
    values = {"epochs": 1, "learning_rate": 3e-3, "batch_size": 16, "seed": 1, "targets": Targets(), **options}
    local = {
        name: values.pop(name) for name in ("epochs", "learning_rate", "batch_size", "proximal_mu") if name in values
    }
    return train_shared(network, rows, LocalTraining(**local), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("modality", ["table", "trace", "scan"])
def test_only_the_parts_of_a_modality_move(modality: Modality) -> None:
    torch.manual_seed(0)
    network = SharedNetwork()
    before = {name: values.clone() for name, values in network.state_dict().items()}
    rows = examples(modality)
    losses = train(network, rows)
    assert np.isfinite(losses).all()
    moved = {name for name, values in network.state_dict().items() if not torch.equal(values, before[name])}
    assert moved
    assert all(name.startswith(parts_of([modality])) for name in moved)
    assert any(name.startswith("trunk.") for name in moved)
    scores = predictions(network, rows)
    assert {task: values.shape for task, values in scores.items()} == {t: (60, CLASSES[t]) for t in TASKS[modality]}


def test_every_weight_belongs_to_a_part() -> None:
    prefixes = parts_of(["table", "trace", "scan"])
    assert all(name.startswith(prefixes) for name in SharedNetwork().state_dict())


@pytest.mark.slow
def test_frozen_weights_stay_and_proximal_steps_are_short() -> None:
    def moved(**options: object) -> dict[str, float]:
        torch.manual_seed(0)
        network = SharedNetwork()
        before = {name: values.clone() for name, values in network.state_dict().items()}
        train(network, examples("trace"), epochs=20, **options)
        return {name: float((values - before[name]).norm()) for name, values in network.state_dict().items()}

    free, frozen, near = moved(), moved(frozen=("trunk.",)), moved(proximal_mu=10.0)
    assert all(value == 0 for name, value in frozen.items() if name.startswith("trunk."))
    assert sum(near.values()) < 0.5 * sum(free.values())


@pytest.mark.slow
def test_it_learns_and_unlabelled_rows_say_nothing() -> None:
    torch.manual_seed(0)
    network, rows = SharedNetwork(), examples("scan", 300)
    losses = [np.mean(train(network, rows, seed=k)) for k in range(30)]
    assert losses[-1] < 0.6 * losses[0]
    unknown = Examples("scan", rows.features, {"growth": np.full(300, -1)}, rows.weight, rows.group, rows.stratum)
    assert train(network, unknown) == [0.0] * 19


@pytest.mark.slow
def test_alignment_draws_embeddings_to_its_targets() -> None:
    rows = examples("scan", 200)
    target = np.full(EMBEDDING, 2.0)

    def distance(targets: Targets) -> float:
        torch.manual_seed(0)
        network = SharedNetwork()
        train(network, rows, epochs=15, targets=targets)
        return float(np.linalg.norm(embeddings(network, rows).mean(axis=0) - target))

    plain = distance(Targets())
    assert distance(Targets(dict.fromkeys(range(3), target), None, 1.0)) < 0.5 * plain
    assert distance(Targets({}, Moments(target, np.eye(EMBEDDING)), 1.0)) < 0.5 * plain


def test_a_site_without_rows_cannot_train() -> None:
    with pytest.raises(ValueError, match="without rows"):
        train(SharedNetwork(), examples("scan").select(np.array([], dtype=np.int64)))
