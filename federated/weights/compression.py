"""Smaller replies: what a site changed, as half floats, stochastically rounded integers, or its largest entries.

A site sends its update (trained minus received weights), so that what is lost is a part of one step. Top-k keeps what
it did not send and adds it to the next update (error feedback: Stich SU et al. NeurIPS 2018); its values are
rounded to 8 bits, its positions are gaps, both deflated. Rounding is stochastic (Alistarh D et al. QSGD. NeurIPS 2017):
right on average, so that the mean over sites keeps what each of them rounds off. Trees travel deflated, without loss.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federated.plan import CompressionPlan
from federated.weights.averaging import Arrays, join, lane_numbers, lane_of

Vector = NDArray[np.float32]
_ESCAPE = 255


def rounding_seed(partition: int, round_number: int) -> int:
    """Of the stochastic rounding of a site's update in a round."""
    return (partition * 1009 + round_number) % 2**31


def flatten(arrays: Arrays) -> Vector:
    """All arrays in the order of their names as one vector."""
    return np.concatenate([np.asarray(arrays[name], dtype=np.float32).ravel() for name in sorted(arrays)])


def unflatten(vector: Vector, like: Arrays) -> dict[str, Vector]:
    """Inverse of `flatten`."""
    made, start = {}, 0
    for name in sorted(like):
        size = like[name].size
        made[name] = vector[start : start + size].reshape(like[name].shape)
        start += size
    return made


def compress(
    update: Arrays, plan: CompressionPlan, seed: int, residual: Vector | None = None
) -> tuple[bytes, Vector | None]:
    """An update as bytes.

    Parameters
    ----------
    update : mapping of str to ndarray
    plan : CompressionPlan
    seed : int
        Of stochastic rounding.
    residual : ndarray or None
        Top-k: what earlier rounds did not send.

    Returns
    -------
    payload : bytes
    residual : ndarray or None
        To be given to the next call.
    """
    if plan.kind == "none":
        return flatten(update).tobytes(), None
    if plan.kind == "float16":
        vector = flatten(update)
        limited = np.where(np.isfinite(vector), np.clip(vector, -65504, 65504), np.nan)
        return limited.astype(np.float16).tobytes(), None
    rng = np.random.default_rng(seed)
    if plan.kind == "int8":
        parts = [_rounded(np.asarray(update[name], dtype=np.float32).ravel(), rng) for name in sorted(update)]
        return b"".join(scale.tobytes() + whole.tobytes() for whole, scale in parts), None
    vector = flatten(update) if residual is None else flatten(update) + residual
    if not np.isfinite(vector).all():  # sent as it is: the screen must see it, and the next round must not
        vector = np.where(np.isfinite(vector), 0, np.inf).astype(np.float32)
    kept = max(int(plan.share * vector.size), 1)
    index = np.sort(np.argpartition(-np.abs(vector), kept - 1)[:kept])
    whole, scale = _rounded(vector[index], rng)
    left = vector.copy()
    left[index] -= whole * scale
    left[~np.isfinite(left)] = 0.0
    body = np.uint32(kept).tobytes() + scale.tobytes() + whole.tobytes() + _gaps(index)
    return zlib.compress(body, 9), left


def decompress(payload: bytes, like: Arrays, plan: CompressionPlan) -> dict[str, Vector]:
    """The update again, in the shapes of `like`.

    Raises
    ------
    ValueError
        The payload does not fit the model or the plan.
    """
    size = sum(values.size for values in like.values())
    try:
        if plan.kind == "none":
            vector = np.frombuffer(payload, dtype=np.float32)
        elif plan.kind == "float16":
            vector = np.frombuffer(payload, dtype=np.float16).astype(np.float32)
        elif plan.kind == "int8":
            vector = _integers(payload, [like[name].size for name in sorted(like)])
        else:
            vector = _sparse(zlib.decompress(payload), size)
    except (ValueError, IndexError, zlib.error) as error:
        raise ValueError(f"an update that is not {plan.kind} ({error})") from None
    if vector.size != size:
        raise ValueError(f"an update of {vector.size} weights for a model of {size}")
    return unflatten(vector, like)


def _rounded(values: Vector, rng: np.random.Generator) -> tuple[NDArray[np.int8], np.float32]:
    largest = float(np.abs(values).max(initial=0.0))
    if not np.isfinite(largest):
        return np.zeros(values.shape, dtype=np.int8), np.float32(np.nan)
    scale = np.float32(largest / 127 or 1.0)
    whole = np.floor(values / scale + rng.random(values.shape, dtype=np.float32))
    return np.clip(whole, -127, 127).astype(np.int8), scale


def _integers(payload: bytes, sizes: list[int]) -> Vector:
    parts, start = [], 0
    for size in sizes:
        scale = np.frombuffer(payload, dtype=np.float32, count=1, offset=start)
        parts.append(np.frombuffer(payload, dtype=np.int8, count=size, offset=start + 4) * scale)
        start += 4 + size
    if start != len(payload):
        raise ValueError(f"{len(payload)} bytes instead of {start}")
    return np.concatenate(parts).astype(np.float32)


def _gaps(index: NDArray[np.int64]) -> bytes:
    """Distances between positions, one byte each; 255 stands for "255 further, and then"."""
    gap = np.diff(index, prepend=0)
    escapes, rest = np.divmod(gap, _ESCAPE)
    made = np.full(int(escapes.sum()) + gap.size, _ESCAPE, dtype=np.uint8)
    made[np.cumsum(escapes + 1) - 1] = rest
    return made.tobytes()


def _sparse(body: bytes, size: int) -> Vector:
    kept = int(np.frombuffer(body, dtype=np.uint32, count=1)[0])
    scale = np.frombuffer(body, dtype=np.float32, count=1, offset=4)
    values = np.frombuffer(body, dtype=np.int8, count=kept, offset=8) * scale
    gaps = np.frombuffer(body, dtype=np.uint8, offset=8 + kept).astype(np.int64)
    index = np.cumsum(gaps)[gaps != _ESCAPE]
    if index.size != kept or index[-1] >= size:
        raise ValueError("positions that do not fit")
    vector = np.zeros(size, dtype=np.float32)
    vector[index] = values
    return vector


def pack(
    trained: Arrays, received: Arrays, plan: CompressionPlan, seed: int, residuals: dict[int, Vector]
) -> dict[str, NDArray[Any]]:
    """What travels instead of the trained lanes: as they are, or each lane's update as bytes under its number.

    Parameters
    ----------
    trained, received : mapping of str to ndarray
        Named ``lane.weight``; a lane may hold fewer weights than were received.
    plan : CompressionPlan
    seed : int
    residuals : dict of int to ndarray
        By lane; changed to what the next call needs.
    """
    if plan.kind == "none":
        return dict(trained)
    packed: dict[str, NDArray[Any]] = {}
    for lane in lane_numbers(trained):
        after, before = lane_of(trained, lane), lane_of(received, lane)
        update = {name: values - before[name] for name, values in after.items()}
        payload, left = compress(update, plan, seed * 31 + lane, residuals.get(lane))
        if left is not None:
            residuals[lane] = left
        packed[str(lane)] = np.frombuffer(payload, dtype=np.uint8)
    return packed


def unpack(packed: Mapping[str, NDArray[Any]], sent: Arrays, plan: CompressionPlan) -> dict[str, Vector]:
    """Inverse of `pack`, given what was sent of the weights that the site trains; raises as `decompress`."""
    if plan.kind == "none":
        return dict(packed)
    lanes = {}
    for lane, payload in packed.items():
        before = lane_of(sent, int(lane))
        update = decompress(payload.tobytes(), before, plan)
        lanes[int(lane)] = {name: before[name] + values for name, values in update.items()}
    return join(lanes)
