"""One known trace in the ways that hospitals export tables: for tests and for the table of formats.

Each variant says what a careful reader must do: read it with exactly these samples, or refuse it.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
RATE_HZ = 4.0
MINUTES = 25
START = datetime(2026, 10, 1, 22, 15, 0, tzinfo=UTC)
LOST = slice(1200, 1300)


@dataclass(frozen=True)
class Export:
    """One file, and what must come of it.

    Attributes
    ----------
    name, file : str
    content : bytes
    readable : bool
        True: samples and rate are those of `truth`. False: refused.
    rate_hz : float or None
        As stated beside the file.
    columns : dict
        A column map beside the file.
    dated : bool
        The file states when it began.
    fhr, toco : ndarray or None
        Other samples than those of `truth`.
    """

    name: str
    content: bytes
    readable: bool = True
    file: str = "export.csv"
    rate_hz: float | None = None
    columns: dict[str, str] = field(default_factory=dict)
    dated: bool = False
    fhr: Array | None = None
    has_toco: bool = True


def truth() -> tuple[Array, Array]:
    """Heart rate with a stretch of lost samples, and tocogram, to a tenth."""
    rng = np.random.default_rng(18)
    count = int(MINUTES * 60 * RATE_HZ)
    seconds = np.arange(count) / RATE_HZ
    fhr = np.round(137.5 + 6 * np.sin(seconds / 11) + rng.normal(0, 1, count), 1)
    toco = np.round(12 + 30 * np.clip(np.sin(seconds / 60), 0, 1) + rng.normal(0, 0.3, count), 1)
    fhr[LOST] = np.nan
    return fhr, toco


def _rows(
    times: list[str] | None, delimiter: str = ",", lost: str = "", decimal: str = ".", pick: int = 1
) -> list[str]:
    fhr, toco = truth()

    def cell(value: float) -> str:
        return lost if np.isnan(value) else f"{value:.1f}".replace(".", decimal)

    lines = []
    for k in range(0, len(fhr), pick):
        cells = [cell(fhr[k]), cell(toco[k])]
        lines.append(delimiter.join([times[k], *cells] if times is not None else cells))
    return lines


def _times(write: Callable[[float], str]) -> list[str]:
    return [write(k / RATE_HZ) for k in range(int(MINUTES * 60 * RATE_HZ))]


def _clock(seconds: float, pattern: str = "%H:%M:%S", *, fraction: str = ".") -> str:
    moment = START + timedelta(seconds=seconds)
    text = moment.strftime(pattern)
    return text + (f"{fraction}{moment.microsecond // 10000:02d}" if fraction else "")


def _text(lines: list[str], end: str = "\n") -> bytes:
    return (end.join(lines) + end).encode()


def exports() -> Iterator[Export]:
    """All variants."""
    seconds = _times(lambda s: f"{s:.2f}")
    head = "time,FHR,UC"
    plain = [head, *_rows(seconds)]
    yield Export("comma, seconds", _text(plain))
    yield Export("comma, CRLF", _text(plain, "\r\n"))
    yield Export("with a byte order mark", b"\xef\xbb\xbf" + _text(plain))
    yield Export("UTF-16 with a mark", "\n".join(plain).encode("utf-16"))
    yield Export("UTF-16 without a mark", "\n".join(plain).encode("utf-16-le"))
    yield Export("rate in a comment", _text(["# sampling_rate_hz: 4", "FHR,UC", *_rows(None)]))
    yield Export("rate stated beside it", _text(["FHR,UC", *_rows(None)]), rate_hz=4.0)
    yield Export("no rate at all", _text(["FHR,UC", *_rows(None)]), readable=False)
    yield Export(
        "semicolon, decimal comma",
        _text(["time;FHR;UC", *_rows(_times(lambda s: f"{s:.2f}".replace(".", ",")), ";", decimal=",")]),
    )
    yield Export("semicolon, decimal point", _text(["time;FHR;UC", *_rows(seconds, ";")]))
    yield Export("tab", _text(["time\tFHR\tUC", *_rows(seconds, "\t")]))
    yield Export("tab, .txt", _text(["time\tFHR\tUC", *_rows(seconds, "\t")]), file="export.txt")
    yield Export(
        "tab, .tsv, decimal comma", _text(["time\tFHR\tUC", *_rows(seconds, "\t", decimal=",")]), file="export.tsv"
    )
    yield Export("pipe", _text(["time|FHR|UC", *_rows(seconds, "|")]))
    yield Export("sep= line", _text(["sep=;", "time;FHR;UC", *_rows(seconds, ";")]))
    yield Export("quoted labels", _text(['"time","FHR","UC"', *_rows(seconds)]))
    quoted = [",".join(f'"{cell}"' for cell in line.split(";")) for line in _rows(seconds, ";", decimal=",")]
    yield Export("everything quoted, decimal commas", _text(['"time","FHR","UC"', *quoted]))
    yield Export(
        "decimal commas in a comma file", _text(["FHR,UC", *_rows(None, ",", decimal=",")]), readable=False, rate_hz=4.0
    )
    yield Export("trailing delimiter", _text([f"{line}," for line in plain]))
    yield Export(
        "blank lines between", _text([line for pair in zip(plain, [""] * len(plain), strict=True) for line in pair])
    )
    for lost in ("0", "NaN", "NA", "null", "-", "---", "N/A", "-1", "255", "511"):
        yield Export(f"lost as {lost}", _text([head, *_rows(seconds, lost=lost)]))
    yield Export("labels with units in brackets", _text(["Time (s),FHR [bpm],UC (mmHg)", *_rows(seconds)]))
    yield Export("a row of units", _text([head, "s,bpm,mmHg", *_rows(seconds)]))
    yield Export("German labels", _text(["Zeit;Fetale Herzfrequenz;Wehen", *_rows(seconds, ";", decimal=",")]))
    yield Export("Portuguese labels", _text(["Tempo;FCF (bpm);Contrações", *_rows(seconds, ";", decimal=",")]))
    yield Export(
        "Portuguese labels in latin-1",
        "\n".join(["Tempo;FCF (bpm);Contrações", *_rows(seconds, ";", decimal=",")]).encode("latin-1"),
    )
    yield Export(
        "Spanish labels",
        _text(["Tiempo;Frecuencia cardíaca fetal;Dinámica uterina", *_rows(seconds, ";", decimal=",")]),
    )
    yield Export(
        "French labels", _text(["Temps;Rythme cardiaque fœtal;Activité utérine", *_rows(seconds, ";", decimal=",")])
    )
    yield Export("hr and ua", _text(["time_s,hr,ua", *_rows(seconds)]))
    yield Export("bpm and ua", _text(["t,bpm,ua", *_rows(seconds)]))
    yield Export(
        "HR1, HR2 and TOCO",
        _text(
            ["time,HR1,HR2,TOCO", *(f"{line.rsplit(',', 1)[0]},,{line.rsplit(',', 1)[1]}" for line in _rows(seconds))]
        ),
    )
    yield Export("columns of others", _text([f"{head},SpO2,id", *(f"{line},98,7" for line in _rows(seconds))]))
    yield Export(
        "patient lines above", _text(["Patient;Invented Maria", "MRN;778899", "", "time;FHR;UC", *_rows(seconds, ";")])
    )
    yield Export(
        "start and rate above",
        _text(["Start: 2026-10-01 22:15:00", "Sampling rate: 4 Hz", "FHR;UC", *_rows(None, ";")]),
        dated=True,
    )
    yield Export("ISO times", _text([head, *_rows(_times(lambda s: _clock(s, "%Y-%m-%dT%H:%M:%S")))]), dated=True)
    yield Export(
        "ISO times with a zone",
        _text([head, *_rows(_times(lambda s: _clock(s, "%Y-%m-%dT%H:%M:%S") + "+00:00"))]),
        dated=True,
    )
    yield Export(
        "ISO times with Z and 6 digits",
        _text([head, *_rows(_times(lambda s: (START + timedelta(seconds=s)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")))]),
        dated=True,
    )
    yield Export(
        "German dates",
        _text(["Datum Uhrzeit;FHR;UC", *_rows(_times(lambda s: _clock(s, "%d.%m.%Y %H:%M:%S")), ";")]),
        dated=True,
    )
    yield Export("clock times past midnight", _text([head, *_rows(_times(lambda s: _clock(s + 5700, "%H:%M:%S")))]))
    yield Export(
        "clock times in whole seconds", _text([head, *_rows(_times(lambda s: _clock(s, "%H:%M:%S", fraction="")))])
    )
    yield Export(
        "ISO times in whole seconds",
        _text([head, *_rows(_times(lambda s: _clock(s, "%Y-%m-%d %H:%M:%S", fraction="")))]),
        dated=True,
    )
    yield Export(
        "date and time in two columns",
        _text(["Date;Time;FHR;UC", *(f"2026-10-01;{line}" for line in _rows(_times(lambda s: _clock(s)), ";"))]),
        dated=True,
    )
    yield Export(
        "milliseconds since 1970",
        _text(["timestamp,FHR,UC", *_rows(_times(lambda s: f"{(START.timestamp() + s) * 1000:.0f}"))]),
        dated=True,
    )
    yield Export(
        "milliseconds from the start", _text(["time (ms),FHR,UC", *_rows(_times(lambda s: f"{s * 1000:.0f}"))])
    )
    yield Export("minutes", _text(["time (min),FHR,UC", *_rows(_times(lambda s: f"{s / 60:.6f}"))]))
    yield Export(
        "hours and minutes alone",
        _text([head, *_rows(_times(lambda s: _clock(s, "%H:%M", fraction="")))]),
        readable=False,
    )
    yield Export(
        "one value a line",
        _text([line.split(",")[0] or "0" for line in _rows(None)]),
        file="export.txt",
        rate_hz=4.0,
        has_toco=False,
    )
    yield Export(
        "one value a line without a rate", _text([line.split(",")[0] or "0" for line in _rows(None)]), readable=False
    )
    yield Export(
        "a column map", _text(["x1;x2;x3", *_rows(seconds, ";")]), columns={"x1": "time", "x2": "fhr1", "x3": "uc"}
    )
    yield Export("labels that nobody knows", _text(["x1;x2;x3", *_rows(seconds, ";")]), readable=False)
    yield Export("a map to a column that is not there", _text(plain), columns={"x9": "fhr1"}, readable=False)
    yield Export("two columns for one", _text(["time,FHR,hr", *_rows(seconds)]), readable=False)
    yield Export("heart rate in ms", _text(["time,FHR (ms),UC", *_rows(seconds)]), readable=False)
    yield Export("a word among the numbers", _text([*plain[:300], "75.00,fast,9", *plain[301:]]), readable=False)
    yield Export("cells beyond the labels", _text([*plain[:300], f"{plain[300]},7", *plain[301:]]), readable=False)
    yield Export("another rate stated", _text(plain), rate_hz=1.0, readable=False)
    yield Export("another rate in a comment", _text(["# sampling_rate_hz: 1", *plain]), readable=False)
    yield Export("halves exchanged", _text([head, *plain[3001:], *plain[1:3001]]), readable=False)
    yield Export("a doubled row", _text([*plain[:500], plain[499], *plain[500:]]), readable=False)
    yield Export(
        "a time missing", _text([*plain[:500], f",{plain[500].partition(',')[2]}", *plain[501:]]), readable=False
    )
    fhr, _ = truth()
    gap = fhr.copy()
    gap[1600:4000] = np.nan
    yield Export("rows of ten minutes missing", _text([*plain[:1601], *plain[4001:]]), fhr=gap)
    yield Export(
        "rows of ten minutes missing, rate stated", _text([*plain[:1601], *plain[4001:]]), fhr=gap, rate_hz=4.0
    )
    yield Export("rows of lost samples left out", _text([*plain[: LOST.start + 1], *plain[LOST.stop + 1 :]]))
    yield Export("times rounded to a tenth", _text([head, *_rows(_times(lambda s: f"{s:.1f}"))]))
    yield Export("an empty file", b"", readable=False)
    yield Export("labels alone", _text([head]), readable=False)
    yield Export("a program", b"\x7fELF\x02\x01\x01" + bytes(500), readable=False)
    yield Export("XLSX", _workbook(dated=False), file="export.xlsx")
    yield Export("XLSX with dates", _workbook(dated=True), file="export.xlsx", dated=True)


def _workbook(*, dated: bool) -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.append(["Time", "FHR", "UC"])
    fhr, toco = truth()
    for k in range(len(fhr)):
        moment = (START + timedelta(seconds=k / RATE_HZ)).replace(tzinfo=None) if dated else k / RATE_HZ
        sheet.append([moment, None if np.isnan(fhr[k]) else float(fhr[k]), float(toco[k])])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()
