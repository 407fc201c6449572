"""Backups: every row, bundle, run and federation folder in one archive that can be verified to the last byte.

The archive is independent of the engine: one file of JSON lines for each table, and the files of the home as they are.
The database is read in one snapshot while the application runs. The manifest, which comes last, holds the SHA-256 of
every member, so an archive that was cut or changed anywhere is refused. ``identity.key`` is not in it: a lost archive
cannot be asked whether a person is in it.
"""

import hashlib
import io
import json
import os
import re
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from app.files import sync_folder
from app.settings import Settings
from models.errors import FetalHealthError

if TYPE_CHECKING:
    from sqlalchemy import Connection

FORMAT = 2
MANIFEST = "manifest.json"
TABLES = "tables/"
_NAME = re.compile(r"(?:tables/[a-z_]+\.jsonl|(?:bundles|runs|federation)/[^\x00-\x1f\\]+)")
DAMAGED = (OSError, EOFError, tarfile.TarError, zlib.error, ValueError, KeyError, TypeError, RecursionError)


@dataclass(frozen=True)
class Contents:
    """What an archive holds.

    Attributes
    ----------
    schema : str
        Revision of the database.
    created, version : str
    rows : dict of str to int
        Rows of each table.
    files : int
        Files of bundles, runs and federation.
    audit_head : str
        Of the audit's chain (`app.audit.chain`); empty where nothing is chained.
    """

    schema: str
    created: str
    version: str
    rows: dict[str, int]
    files: int
    audit_head: str = ""


def backup(settings: Settings, archive: Path) -> Contents:
    """Write an archive, and read it again; ``-`` writes to the standard output, and is not read again.

    Raises
    ------
    FetalHealthError
        There is no database, the archive exists already, or it cannot be written.
    """
    if str(archive) == "-":
        return _write(settings, sys.stdout.buffer)
    if archive.exists():
        raise FetalHealthError(f"{archive} exists already")
    partial = archive.with_name(f"{archive.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
            contents = _write(settings, handle)
            handle.flush()
            os.fsync(handle.fileno())
        verify(partial)
        partial.replace(archive)
        sync_folder(archive.absolute().parent)
    except OSError as error:
        raise FetalHealthError(f"{archive}: {error.strerror or error}") from None
    finally:
        partial.unlink(missing_ok=True)
    return contents


def _write(settings: Settings, stream: IO[bytes]) -> Contents:
    from app.orm import now
    from models.version import code_version

    members: dict[str, dict[str, Any]] = {}
    rows: dict[str, int] = {}
    with tarfile.open(fileobj=stream, mode="w|gz") as tar, _snapshot(settings) as (connection, schema):
        head = _audit_head(connection)
        for name, count, content in _dumped(connection):
            rows[name] = count
            _add(tar, members, f"{TABLES}{name}.jsonl", content)
        for name, path in _files(settings):
            with path.open("rb") as handle:
                _add(tar, members, name, io.BytesIO(handle.read()))  # a file that grows meanwhile is taken as it is now
        about = {
            "format": FORMAT,
            "schema": schema,
            "created": now().isoformat(),
            "version": code_version(),
            "rows": rows,
            "audit_head": head,
            "members": members,
        }
        _add(tar, {}, MANIFEST, io.BytesIO(json.dumps(about, indent=1).encode()))
    return _contents(about)


def _contents(about: dict[str, Any]) -> Contents:
    files = sum(not name.startswith(TABLES) for name in about["members"])
    head = about.get("audit_head", "")
    return Contents(about["schema"], about["created"], about["version"], about["rows"], files, head)


def _add(tar: tarfile.TarFile, members: dict[str, dict[str, Any]], name: str, content: IO[bytes]) -> None:
    size = content.seek(0, os.SEEK_END)
    content.seek(0)
    digest = hashlib.sha256()
    while block := content.read(1 << 20):
        digest.update(block)
    content.seek(0)
    members[name] = {"sha256": digest.hexdigest(), "size": size}
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    tar.addfile(member, content)


@contextmanager
def _snapshot(settings: Settings) -> "Iterator[tuple[Connection, str]]":
    """A connection that sees the database as it is at this moment, and the revision of its schema."""
    from app.database import make_engine
    from app.schema import revision_of

    if settings.database.startswith("sqlite:///") and not Path(settings.database[10:]).exists():
        raise FetalHealthError(f"no database at {settings.database[10:]}")
    engine = make_engine(settings.database)
    try:
        level = "REPEATABLE READ" if engine.dialect.name == "postgresql" else "SERIALIZABLE"
        with engine.connect().execution_options(isolation_level=level) as connection:
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN")
            revision = revision_of(connection)
            if revision is None:
                raise FetalHealthError("the database has no schema yet: there is nothing to back up")
            yield connection, revision
    finally:
        engine.dispose()


def _dumped(connection: "Connection") -> Iterator[tuple[str, int, IO[bytes]]]:
    """Every table with its number of rows and their JSON lines, parents before children."""
    from sqlalchemy import MetaData, select

    from app.backups.values import written

    tables = MetaData()
    tables.reflect(connection)
    for table in tables.sorted_tables:
        if table.name == "alembic_version":
            continue
        with tempfile.TemporaryFile() as content:
            content.write(json.dumps([column.name for column in table.columns]).encode() + b"\n")
            count = 0
            query = select(table).order_by(*table.primary_key)
            for row in connection.execution_options(yield_per=200).execute(query):
                line = [written(value) for value in row]
                content.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
                count += 1
            yield table.name, count, content


def _audit_head(connection: "Connection") -> str:
    """The head of the audit's chain, as far as the snapshot reaches."""
    from sqlalchemy import inspect, text

    if not inspect(connection).has_table("audit_link"):  # a schema from before there was a chain
        return ""
    last = connection.execute(text("SELECT position, hash FROM audit_link ORDER BY position DESC LIMIT 1")).first()
    return f"{last.position}:{last.hash}" if last else ""


def _files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Files of bundles, runs and the federation, by their name in the archive."""
    home = settings.home.resolve()
    places = {"bundles": home / "bundles", "runs": home / "runs"}
    if settings.federation is not None:
        places["federation"] = settings.federation
    for name, folder in places.items():
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder).as_posix()
            if path.is_file() and not path.is_symlink() and not inside.endswith((".part", "lock")):
                yield f"{name}/{inside}", path


def verify(archive: Path) -> Contents:
    """Read an archive to its last byte and compare everything in it with its hashes.

    Raises
    ------
    FetalHealthError
        It is no backup, or anything in it is damaged or missing; one plain line.
    """
    try:
        seen: dict[str, str] = {}
        rows: dict[str, int] = {}
        about: dict[str, Any] | None = None
        for name, content in members_of(archive):
            if about is not None:
                raise ValueError(f"{name} stands after the manifest")
            if name == MANIFEST:
                about = json.loads(content.read())
                continue
            digest = hashlib.sha256()
            lines = 0
            while block := content.read(1 << 20):
                digest.update(block)
                lines += block.count(b"\n")
            seen[name] = digest.hexdigest()
            if name.startswith(TABLES):
                rows[name[len(TABLES) :].removesuffix(".jsonl")] = lines - 1
        if about is None:
            raise ValueError("it has no manifest: it was cut, or is of the first format (restore reads those)")
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']!r}; this release reads {FORMAT}")
        expected = {name: member["sha256"] for name, member in about["members"].items()}
        if wrong := sorted(name for name in expected.keys() | seen.keys() if expected.get(name) != seen.get(name)):
            raise ValueError(f"{wrong[0]} is damaged or missing")
        if rows != about["rows"]:
            raise ValueError("the number of rows differs")
        return _contents(about)
    except DAMAGED as error:
        raise FetalHealthError(f"{archive}: not a backup that can be restored ({line_of(error)})") from None


def line_of(error: BaseException) -> str:
    """The first line of an error."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def members_of(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Every member of an archive, read to the end of the compressed stream, where its checksum stands."""
    import gzip

    with gzip.open(archive, "rb") as unpacked:
        with tarfile.open(fileobj=unpacked, mode="r|") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                if content is None or not (member.name == MANIFEST or _is_ours(member.name)):
                    raise ValueError(f"{member.name[:80]!r} has no place in a backup")
                yield member.name, content
        while unpacked.read(1 << 20):
            pass


def _is_ours(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and not {"", ".", ".."} & set(name.split("/"))
