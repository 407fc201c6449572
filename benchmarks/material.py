"""Traces and images of which none was ever sent before: cheap changes of a few that were generated once."""

import io
from functools import cache, lru_cache

import numpy as np
from PIL import Image

from models.synthetic.beats import beats
from models.synthetic.heads import head_of, phantom
from models.synthetic.traces import as_csv

BASES = 8


@cache
def _traces() -> list[list[bytes]]:
    return [
        as_csv(beats(minutes=60, accelerations=2, decelerations=True, seed=seed).recording).splitlines(keepends=True)
        for seed in range(BASES)
    ]


@cache
def _heads() -> list[np.ndarray[tuple[int, int], np.dtype[np.uint8]]]:
    return [phantom(head_of(300.0 + 4 * seed, 0.2), seed=seed) for seed in range(BASES)]


@lru_cache(maxsize=64)
def hour(number: int) -> bytes:
    """One hour of CTG as CSV; another number gives other samples."""
    lines = list(_traces()[number % BASES])
    for place, part in enumerate((number % 1000, number // 1000 % 1000, number // 1_000_000)):
        _, _, rest = lines[1000 + place].partition(b",")
        lines[1000 + place] = b"%d.%02d,%s" % (130 + part // 100, part % 100, rest)
    return b"".join(lines)


@lru_cache(maxsize=64)
def head(number: int) -> bytes:
    """A phantom of a head as PNG; another number gives other pixels."""
    pixels = _heads()[number % BASES].copy()
    pixels[0, :32] = [200 * (number >> bit & 1) for bit in range(32)]
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()
