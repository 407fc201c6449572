"""Several recordings in one upload: parts of one trace are joined by their times, anything else is refused."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from models.ctg.recording import MAX_DURATION_S, CtgRecording
from models.errors import FormatError

Array = NDArray[np.float64]
Recordings = tuple[CtgRecording, ...]


def join(by_file: Mapping[str, Recordings]) -> Recordings:
    """One recording for each channel.

    Parameters
    ----------
    by_file : mapping of str to tuple of CtgRecording
        The recordings of each file.

    Raises
    ------
    FormatError
        The files are not parts of one trace: no times, other channels or rates, other women, or overlapping.
    """
    if len(by_file) == 1:
        return next(iter(by_file.values()))
    names = " and ".join(by_file)
    starts: dict[str, datetime] = {}
    for name, recordings in by_file.items():
        if (made_at := recordings[0].origin.made_at) is not None:
            starts[name] = made_at
    if len(starts) < len(by_file) or len({start.tzinfo is None for start in starts.values()}) > 1:
        raise FormatError(f"{names} are {len(by_file)} recordings, and not all say when they began; send one of them")
    order = sorted(by_file, key=lambda name: starts[name])
    first = by_file[order[0]]
    _check_alike(by_file, order)
    offsets = [(starts[name] - starts[order[0]]).total_seconds() for name in order]
    remark = f"{len(order)} files were joined by their times: {', '.join(order)}"
    return tuple(
        _joined([by_file[name][channel] for name in order], offsets, order, remark) for channel in range(len(first))
    )


def _check_alike(by_file: Mapping[str, Recordings], order: list[str]) -> None:
    first = by_file[order[0]]
    for name in order[1:]:
        other = by_file[name]
        if [r.channel for r in other] != [r.channel for r in first]:
            raise FormatError(f"{order[0]} and {name} hold different channels; send one of them")
        if other[0].sampling_rate_hz != first[0].sampling_rate_hz:
            raise FormatError(f"{order[0]} and {name} have different sampling rates; send one of them")
        mine, theirs = first[0].origin.identity, other[0].origin.identity
        if mine is not None and theirs is not None and mine.differs(theirs):
            raise FormatError(f"{order[0]} and {name} are of different women")


def _joined(parts: list[CtgRecording], offsets_s: list[float], names: list[str], remark: str) -> CtgRecording:
    rate = parts[0].sampling_rate_hz
    end = offsets_s[-1] + parts[-1].duration_s
    if end > MAX_DURATION_S:
        raise FormatError(f"{names[0]} and {names[-1]} span more than 24 hours; send only the part to be assessed")
    places = [round(offset * rate) for offset in offsets_s]
    for k in range(1, len(parts)):
        if places[k] < places[k - 1] + len(parts[k - 1].fhr_bpm) - 1:
            raise FormatError(f"{names[k - 1]} and {names[k]} overlap in time; send one of them")
    length = places[-1] + len(parts[-1].fhr_bpm)

    def whole(values: list[Array | None]) -> Array | None:
        if all(value is None for value in values):
            return None
        grid = np.full(length, np.nan)
        for place, value in zip(places, values, strict=True):
            if value is not None:
                grid[place : place + len(value)] = value
        return grid

    heart = whole([part.fhr_bpm for part in parts])
    assert heart is not None
    of_parts = tuple(dict.fromkeys(remark for part in parts for remark in part.remarks))
    return replace(
        parts[0],
        fhr_bpm=heart,
        toco=whole([part.toco for part in parts]),
        mhr_bpm=whole([part.mhr_bpm for part in parts]),
        remarks=(*of_parts, remark),
    )
