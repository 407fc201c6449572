"""Training with differential privacy (where torch and Opacus are installed)."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.datasets import hc18

torch = pytest.importorskip("torch")

from models.ultrasound.network import HeadSegmenter
from models.ultrasound.training import SegmentationRows, prepare


@pytest.fixture(scope="module")
def private() -> Any:
    """The module under test, which loads Opacus."""
    pytest.importorskip("opacus")
    from models.ultrasound import private_training

    return private_training


@pytest.fixture(scope="module")
def rows(data: Path) -> SegmentationRows:
    folder = hc18.find(data)
    assert folder is not None
    return prepare(hc18.read(folder)[:8])


def trained(
    private: Any, rows: SegmentationRows, noise: float, seed: int = 1, epochs: float = 1
) -> tuple[list[float], torch.Tensor]:
    torch.manual_seed(3)
    network = HeadSegmenter()
    settings = private.NoiseSettings(noise, 1.0, 1e-5)
    losses = private.train_private_epochs(
        network, rows, epochs=epochs, learning_rate=2e-3, batch_size=4, noise=settings, seed=seed
    )
    return losses, torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


@pytest.mark.parametrize("steps", [1, 10, 100])
def test_epsilon_of_the_gaussian_mechanism_is_below_its_classical_bound(private: Any, steps: int) -> None:
    noise, delta = 2.0, 1e-5
    orders = np.linspace(1.01, 200, 5000)
    bound = float((steps * orders / (2 * noise**2) + math.log(1 / delta) / (orders - 1)).min())
    assert 0.7 * bound < private.epsilon([(noise, 1.0, steps)], delta) <= bound


def test_epsilon_grows_with_steps_and_rate_and_falls_with_noise(private: Any) -> None:
    base = private.epsilon([(1.0, 0.1, 100)], 1e-5)
    assert private.epsilon([(1.0, 0.1, 200)], 1e-5) > base
    assert private.epsilon([(1.0, 0.2, 100)], 1e-5) > base
    assert private.epsilon([(2.0, 0.1, 100)], 1e-5) < base
    assert private.epsilon([(1.0, 0.1, 60), (1.0, 0.1, 40)], 1e-5) == pytest.approx(base)
    assert private.epsilon([], 1e-5) == 0.0


def test_rate_and_steps(private: Any) -> None:
    assert private.sampling_rate(100, 10) == 0.1
    assert private.sampling_rate(4, 10) == 1.0
    assert private.steps_of(2, 100, 10) == 20
    assert private.steps_of(0.1, 5, 10) == 1


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_and_another_other_ones(private: Any, rows: SegmentationRows) -> None:
    first, again, other = (trained(private, rows, 1.0, seed)[1] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.slow
def test_with_hardly_any_noise_it_learns(private: Any, rows: SegmentationRows) -> None:
    losses, _ = trained(private, rows, 1e-6, epochs=8)
    assert np.mean(losses[-4:]) < np.mean(losses[:4])


def test_batch_normalisation_is_refused(private: Any, rows: SegmentationRows) -> None:
    network = HeadSegmenter()
    network.stem[1] = torch.nn.BatchNorm2d(16)
    with pytest.raises(ValueError, match="batch normalisation mixes images"):
        private.train_private_epochs(
            network,
            rows,
            epochs=1,
            learning_rate=1e-3,
            batch_size=4,
            noise=private.NoiseSettings(1.0, 1.0, 1e-5),
            seed=1,
        )


def test_no_images_is_refused(private: Any, rows: SegmentationRows) -> None:
    with pytest.raises(ValueError, match="without images"):
        trained(private, rows.select(np.array([], dtype=np.int64)), 1.0)


def test_the_shipped_network_keeps_no_statistics_of_batches() -> None:
    assert not list(HeadSegmenter().buffers())
