"""Updates as bytes and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.plan import CompressionPlan
from federated.weights.averaging import Arrays, join
from federated.weights.compression import compress, decompress, flatten, pack, unflatten, unpack

RNG = np.random.default_rng(3)
UPDATE: Arrays = {
    "b": RNG.normal(size=(7,)).astype(np.float32),
    "a": RNG.normal(size=(300, 20)).astype(np.float32) * 0.01,
}
SIZE = 6007


def plan(kind: str, share: float = 0.05) -> CompressionPlan:
    return CompressionPlan(kind=kind, share=share)  # type: ignore[arg-type]


def test_vectors_and_arrays() -> None:
    again = unflatten(flatten(UPDATE), UPDATE)
    assert all((again[name] == UPDATE[name]).all() for name in UPDATE)


@pytest.mark.parametrize(
    ("kind", "at_most", "error"),
    [("none", 4.0, 0.0), ("float16", 2.0, 1e-3), ("int8", 1.01, 0.02), ("top-k", 0.1, 1.0)],
)
def test_size_and_error(kind: str, at_most: float, error: float) -> None:
    payload, _ = compress(UPDATE, plan(kind), 1)
    assert len(payload) <= at_most * SIZE
    again = decompress(payload, UPDATE, plan(kind))
    for name, values in UPDATE.items():
        assert again[name].shape == values.shape
        assert np.abs(again[name] - values).max() <= error * np.abs(values).max()


def test_rounding_is_right_on_average() -> None:
    made = [decompress(compress(UPDATE, plan("int8"), k)[0], UPDATE, plan("int8"))["a"] for k in range(400)]
    one = np.abs(made[0] - UPDATE["a"]).mean()
    assert np.abs(np.mean(made, axis=0) - UPDATE["a"]).mean() < one / 10
    assert compress(UPDATE, plan("int8"), 5)[0] == compress(UPDATE, plan("int8"), 5)[0]


def test_what_top_k_holds_back_is_sent_later() -> None:
    """Error feedback: over many rounds the sum of what was sent is the sum of what was to be sent."""
    residual, sent, rounds = None, np.zeros(SIZE), 200
    for k in range(rounds):
        payload, residual = compress(UPDATE, plan("top-k"), k, residual)
        sent += flatten(decompress(payload, UPDATE, plan("top-k")))
    assert residual is not None
    np.testing.assert_allclose(sent + residual, rounds * flatten(UPDATE), rtol=1e-3, atol=1e-2)
    without = rounds * flatten(decompress(compress(UPDATE, plan("top-k"), 0)[0], UPDATE, plan("top-k")))
    wanted = rounds * flatten(UPDATE)
    assert np.abs(sent - wanted).sum() < 0.2 * np.abs(without - wanted).sum()


@given(st.integers(1, 3000), st.floats(0.001, 1.0), st.integers(0, 99))
def test_any_positions_survive(size: int, share: float, seed: int) -> None:
    update = {"w": np.random.default_rng(seed).normal(size=size).astype(np.float32)}
    payload, left = compress(update, plan("top-k", share), seed)
    again = decompress(payload, update, plan("top-k", share))["w"]
    assert left is not None
    np.testing.assert_allclose(again + left, update["w"], atol=1e-5)
    assert (again != 0).sum() <= max(int(share * size), 1)


@pytest.mark.parametrize("kind", ["none", "float16", "int8", "top-k"])
@pytest.mark.parametrize("payload", [b"", b"123456789"])
def test_other_bytes_are_refused(kind: str, payload: bytes) -> None:
    with pytest.raises(ValueError, match="an update"):
        decompress(payload, UPDATE, plan(kind))


def test_numbers_that_are_none_reach_the_screen() -> None:
    bad = {**UPDATE, "b": np.full(7, np.nan, np.float32)}
    for kind in ("none", "float16", "int8", "top-k"):
        again = decompress(compress(bad, plan(kind), 1)[0], bad, plan(kind))
        assert not np.isfinite(flatten(again)).all()


@pytest.mark.parametrize("kind", ["none", "float16", "int8", "top-k"])
def test_lanes_travel_apart_and_keep_their_residuals(kind: str) -> None:
    received = join(
        {0: {n: np.zeros_like(v) for n, v in UPDATE.items()}, 2: {n: np.ones_like(v) for n, v in UPDATE.items()}}
    )
    trained = {name: values + UPDATE[name.partition(".")[2]] for name, values in received.items()}
    residuals: dict[int, np.ndarray] = {}
    packed, residuals = pack(trained, received, plan(kind), 7, residuals)
    again = unpack(packed, received, plan(kind))
    assert set(again) == set(received)
    assert set(residuals) == ({0, 2} if kind == "top-k" else set())
    largest = float(np.abs(UPDATE["b"]).max())
    assert all(np.abs(again[n] - trained[n]).max() <= (largest if kind == "top-k" else 0.03) for n in trained)
    if kind != "none":
        assert sum(v.nbytes for v in packed.values()) < sum(v.nbytes for v in trained.values()) / 1.9
