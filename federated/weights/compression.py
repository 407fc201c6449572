"""Compression of a site's update: half-precision floats, stochastically rounded integers, or only the largest entries.

A site sends its update (trained minus received weights), so that a loss of precision affects one step only. Top-k
stores what it did not send and adds it to the next update (error feedback: Stich SU et al. NeurIPS 2018). Its values
are rounded to 8 bits, its positions are sent as gaps, and both are deflated. Rounding is stochastic and unbiased
(Alistarh D et al. QSGD. NeurIPS 2017), so that rounding errors cancel in the mean over sites. Trees travel deflated,
without loss.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federated.plan import CompressionPlan
from federated.weights.averaging import Arrays, fold_model_numbers, fold_model_of, join

Vector = NDArray[np.float32]
_ESCAPE = 255


def rounding_seed(partition: int, round_number: int) -> int:
    """Seed of the stochastic rounding of a site's update in a round."""
    return (partition * 1009 + round_number) % 2**31


def flatten(arrays: Arrays) -> Vector:
    """All arrays in the order of their names as one vector."""
    return np.concatenate([np.asarray(arrays[name], dtype=np.float32).ravel() for name in sorted(arrays)])


def unflatten(vector: Vector, like: Arrays) -> dict[str, Vector]:
    """Inverse of `flatten`."""
    arrays, start = {}, 0
    for name in sorted(like):
        size = like[name].size
        arrays[name] = vector[start : start + size].reshape(like[name].shape)
        start += size
    return arrays


def compress(
    update: Arrays, plan: CompressionPlan, seed: int, residual: Vector | None = None
) -> tuple[bytes, Vector | None]:
    """Compress an update into bytes.

    Parameters
    ----------
    update : mapping of str to ndarray
    plan : CompressionPlan
    seed : int
        Seed of stochastic rounding.
    residual : ndarray or None
        What earlier rounds did not send (top-k).

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
    if not np.isfinite(
        vector
    ).all():  # sent as infinity, so that the server rejects the update; not carried to the next round
        vector = np.where(np.isfinite(vector), 0, np.inf).astype(np.float32)
    count = max(int(plan.share * vector.size), 1)
    index = np.sort(np.argpartition(-np.abs(vector), count - 1)[:count])
    whole, scale = _rounded(vector[index], rng)
    left = vector.copy()
    left[index] -= whole * scale
    left[~np.isfinite(left)] = 0.0
    body = np.uint32(count).tobytes() + scale.tobytes() + whole.tobytes() + _gaps(index)
    return zlib.compress(body, 9), left


def decompress(payload: bytes, like: Arrays, plan: CompressionPlan) -> dict[str, Vector]:
    """Decompress an update into the shapes of `like`.

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
    codes = np.full(int(escapes.sum()) + gap.size, _ESCAPE, dtype=np.uint8)
    codes[np.cumsum(escapes + 1) - 1] = rest
    return codes.tobytes()


def _sparse(body: bytes, size: int) -> Vector:
    count = int(np.frombuffer(body, dtype=np.uint32, count=1)[0])
    scale = np.frombuffer(body, dtype=np.float32, count=1, offset=4)
    values = np.frombuffer(body, dtype=np.int8, count=count, offset=8) * scale
    gaps = np.frombuffer(body, dtype=np.uint8, offset=8 + count).astype(np.int64)
    index = np.cumsum(gaps)[gaps != _ESCAPE]
    if index.size != count or index[-1] >= size:
        raise ValueError("positions that do not fit")
    vector = np.zeros(size, dtype=np.float32)
    vector[index] = values
    return vector


def pack(
    trained: Arrays, received: Arrays, plan: CompressionPlan, seed: int, residuals: Mapping[int, Vector]
) -> tuple[dict[str, NDArray[Any]], dict[int, Vector]]:
    """Prepare the trained weights for the reply.

    Parameters
    ----------
    trained, received : mapping of str to ndarray
        Named ``model.weight``; a fold model may hold fewer weights than were received.
    plan : CompressionPlan
    seed : int
    residuals : mapping of int to ndarray
        What earlier rounds did not send, by fold model.

    Returns
    -------
    packed : dict of str to ndarray
        The weights as they are, or the update of each fold model as bytes under the model's number.
    residuals : dict of int to ndarray
        To be given to the next call.
    """
    after_round = dict(residuals)
    if plan.kind == "none":
        return dict(trained), after_round
    packed: dict[str, NDArray[Any]] = {}
    for number in fold_model_numbers(trained):
        after, before = fold_model_of(trained, number), fold_model_of(received, number)
        update = {name: values - before[name] for name, values in after.items()}
        payload, residual = compress(update, plan, seed * 31 + number, residuals.get(number))
        if residual is not None:
            after_round[number] = residual
        packed[str(number)] = np.frombuffer(payload, dtype=np.uint8)
    return packed, after_round


def unpack(packed: Mapping[str, NDArray[Any]], sent: Arrays, plan: CompressionPlan) -> dict[str, Vector]:
    """Inverse of `pack`, given the sent values of the weights that the site trains; raises as `decompress`."""
    if plan.kind == "none":
        return dict(packed)
    fold_models = {}
    for number, payload in packed.items():
        before = fold_model_of(sent, int(number))
        update = decompress(payload.tobytes(), before, plan)
        fold_models[int(number)] = {name: before[name] + values for name, values in update.items()}
    return join(fold_models)
