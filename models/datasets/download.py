"""Downloads from the data sets' official homes, and a check of what is there. Needs internet."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from models.datasets import ctu_uhb, hc18, uci_ctg
from models.errors import DataSetError, FetalHealthError, InputError


@dataclass(frozen=True)
class Source:
    """One data set's official home."""

    folder: str
    addresses: tuple[str, ...]
    size: str
    terms: str


SOURCES = {
    "uci": Source(
        "ctg/uci-cardiotocography",
        ("https://archive.ics.uci.edu/static/public/193/cardiotocography.zip",),
        "1 MB",
        "CC BY 4.0, doi:10.24432/C51S4N",
    ),
    "ctu-uhb": Source(
        "ctg/ctu-uhb",
        ("https://physionet.org/content/ctu-uhb-ctgdb/get-zip/1.0.0/",),
        "30 MB",
        "ODC-By 1.0 as PhysioNet states; the authors ask for non-commercial use and citation: doi:10.13026/C22013",
    ),
    "hc18": Source(
        "ultrasound/hc18",
        (
            "https://zenodo.org/records/1327317/files/training_set.zip",
            "https://zenodo.org/records/1327317/files/training_set_pixel_size_and_HC.csv",
        ),
        "170 MB",
        "CC BY 4.0, doi:10.5281/zenodo.1327317",
    ),
}


def fetch(folder: Path, name: str = "", client: httpx.Client | None = None) -> Iterator[str]:
    """Download one data set or all, telling of each step.

    Raises
    ------
    InputError
        No such data set.
    FetalHealthError
        The download failed; a partial file is removed.
    """
    if name and name not in SOURCES:
        raise InputError(f"no data set {name!r}; there are {', '.join(SOURCES)}")
    with client or httpx.Client(follow_redirects=True, timeout=60.0) as http:
        for key, source in SOURCES.items():
            if name and key != name:
                continue
            yield f"{key}: about {source.size}, {source.terms}"
            target = folder / source.folder
            target.mkdir(parents=True, exist_ok=True)
            for address in source.addresses:
                path = target / (address.rstrip("/").rsplit("/", 1)[-1].replace("1.0.0", "ctu-uhb-ctgdb.zip"))
                if path.exists():
                    yield f"  {path.name} is here already"
                    continue
                _download(http, address, path)
                yield f"  {path.name}, {path.stat().st_size / 1e6:.1f} MB"
                if key == "uci":
                    _unpack_workbook(path, target)


def _download(http: httpx.Client, address: str, path: Path) -> None:
    partial = path.with_name(path.name + ".part")
    try:
        with http.stream("GET", address) as response:
            response.raise_for_status()
            with partial.open("wb") as handle:
                for block in response.iter_bytes():
                    handle.write(block)
        partial.replace(path)
    except (httpx.HTTPError, OSError) as error:
        partial.unlink(missing_ok=True)
        raise FetalHealthError(f"{address}: the download failed ({error or type(error).__name__})") from None


def _unpack_workbook(archive: Path, target: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            (target / uci_ctg.WORKBOOK).write_bytes(opened.read(uci_ctg.WORKBOOK))
    except (zipfile.BadZipFile, KeyError) as error:
        raise FetalHealthError(f"{archive.name}: no {uci_ctg.WORKBOOK} in it ({error})") from None


def check(folder: Path) -> list[tuple[bool, str]]:
    """Whether each data set that this version reads is there and readable."""
    lines: list[tuple[bool, str]] = []
    for name, module in (("uci", uci_ctg), ("ctu-uhb", ctu_uhb), ("hc18", hc18)):
        location = module.find(folder)
        if location is None:
            lines.append((False, f"{name}: not below {folder}"))
            continue
        try:
            lines.append((True, f"{name}: {len(module.read(location))} rows in {location}"))
        except DataSetError as error:
            lines.append((False, f"{name}: {error}"))
    return lines
