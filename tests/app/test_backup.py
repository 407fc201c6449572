"""Backups on both engines: every row and file comes back, and what is damaged anywhere is refused in one line."""

import gzip
import io
import random
import shutil
import sqlite3
import tarfile
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from app.backups.archive import backup, verify
from app.backups.restoring import restore
from app.bundles.service import BundleRegistry
from app.database import make_engine, migrate, session_factory
from app.orm import now
from app.patients.store import Fetus, Pregnancy, Woman
from app.schema import revisions
from app.settings import Settings
from app.transactions import unit_of_work
from app.upgrade import upgrade
from models.errors import FetalHealthError
from tests.app.conftest import new_database
from tests.app.filled import contents, fill

Place = Callable[[str], Settings]
POSTGRESQL = pytest.param("postgresql", marks=[pytest.mark.soak, pytest.mark.network])
BOTH = pytest.mark.parametrize("engine", ["sqlite", POSTGRESQL])


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """Makes an empty installation on an engine."""

    def made(engine: str) -> Settings:
        settings = Settings(home=tmp_path / uuid.uuid4().hex, data=None)
        if engine == "postgresql":
            settings.database_url = new_database(request.getfixturevalue("postgresql"))
        else:
            settings.home.mkdir()
        return settings

    return made


def filled(settings: Settings, revision: str = "head") -> Settings:
    """Rows in every table, a bundle, a run and a federation's folder."""
    settings.home.mkdir(exist_ok=True)
    engine = make_engine(settings.database)
    migrate(engine, revision)
    if revision == "head":
        with unit_of_work(session_factory(engine)) as session:
            BundleRegistry(settings.home).ensure_shipped(session)
    fill(engine)
    engine.dispose()
    (settings.home / "runs" / "r1").mkdir(parents=True)
    (settings.home / "runs" / "r1" / "plan.toml").write_text("x")
    settings.federation = settings.home.parent / f"{settings.home.name}-federation"
    settings.federation.mkdir()
    (settings.federation / "ca.key").write_bytes(b"\x00secret")
    return settings


def rows(settings: Settings) -> object:
    engine = make_engine(settings.database)
    try:
        return contents(engine)
    finally:
        engine.dispose()


@BOTH
def test_every_row_and_file_comes_back(place: Place, tmp_path: Path, engine: str) -> None:
    source, archive = filled(place(engine)), tmp_path / "a.tar.gz"
    written = backup(source, archive)
    assert archive.stat().st_mode & 0o077 == 0
    assert verify(archive) == written
    assert written.rows["woman"] == 3
    target = place(engine)
    assert restore(target, archive) == written
    assert rows(target) == rows(source)
    assert (target.home / "runs" / "r1" / "plan.toml").read_text() == "x"
    assert (target.home / "federation" / "ca.key").read_bytes() == b"\x00secret"
    for path in (source.home / "bundles").rglob("*"):
        if path.is_file():
            copy = target.home / "bundles" / path.relative_to(source.home / "bundles")
            assert copy.read_bytes() == path.read_bytes()
    database = make_engine(target.database)
    with unit_of_work(session_factory(database)) as session:  # numbers go on after the restored ones
        woman = Woman(pseudonym="next", created_at=now())
        session.add(Fetus(label="A", pregnancy=Pregnancy(woman=woman, created_at=now())))
    database.dispose()


@pytest.mark.soak
@pytest.mark.network
@pytest.mark.parametrize(("source", "target"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_an_archive_moves_to_the_other_engine(place: Place, tmp_path: Path, source: str, target: str) -> None:
    archive = tmp_path / "a.tar.gz"
    first, second = filled(place(source)), place(target)
    backup(first, archive)
    restore(second, archive)
    backup(second, tmp_path / "b.tar.gz")
    with tarfile.open(archive) as one, tarfile.open(tmp_path / "b.tar.gz") as other:
        for member in one.getmembers():
            if member.name.startswith("tables/"):
                ours, theirs = one.extractfile(member), other.extractfile(member.name)
                assert ours is not None
                assert theirs is not None
                assert ours.read() == theirs.read(), member.name


@BOTH
@pytest.mark.parametrize("revision", revisions()[:-1])
def test_an_older_backup_is_migrated(place: Place, tmp_path: Path, engine: str, revision: str) -> None:
    archive = tmp_path / "a.tar.gz"
    old = filled(place(engine), revision)
    backup(old, archive)
    target = place(engine)
    assert restore(target, archive).schema == revision
    database = make_engine(old.database)
    migrate(database)
    database.dispose()
    assert rows(target) == rows(old)


def test_while_others_write_the_archive_is_one_moment(place: Place, tmp_path: Path) -> None:
    source = filled(place("sqlite"))
    engine = make_engine(source.database)
    sessions = session_factory(engine)
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with unit_of_work(sessions) as session:
                woman = Woman(pseudonym=f"w-{number}", created_at=now())
                session.add(Fetus(label="A", pregnancy=Pregnancy(woman=woman, created_at=now())))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            written = backup(source, tmp_path / f"{number}.tar.gz").rows
            assert written["woman"] == written["pregnancy"] == written["fetus"]
    finally:
        stop.set()
        writer.join()
        engine.dispose()
    restore(place("sqlite"), tmp_path / "4.tar.gz")


def test_damage_anywhere_is_refused_in_one_line(place: Place, tmp_path: Path) -> None:
    archive, damaged = tmp_path / "a.tar.gz", tmp_path / "damaged.tar.gz"
    backup(filled(place("sqlite")), archive)
    good = archive.read_bytes()
    chance = random.Random(1)
    target = place("sqlite")
    for trial in range(60):
        content = bytearray(good)
        if trial % 3 == 0:
            content = content[: chance.randrange(1, len(content))]
        else:
            spot = chance.randrange(len(content) - 400)
            for byte in range(1 if trial % 3 == 1 else 400):
                content[spot + byte] ^= 0xFF
        damaged.write_bytes(bytes(content))
        with pytest.raises(FetalHealthError, match="not a backup that can be restored") as refused:
            restore(target, damaged)
        assert "\n" not in str(refused.value)
        assert list(target.home.iterdir()) == []


def changed(archive: Path, target: Path, change: Callable[[str, bytes], bytes | None], extra: str = "") -> None:
    """Write an archive again, whole as a tar, with its members changed."""
    with tarfile.open(archive) as source, tarfile.open(target, "w:gz") as made:
        for member in source.getmembers():
            content = source.extractfile(member)
            assert content is not None
            new = change(member.name, content.read())
            if new is not None:
                info = tarfile.TarInfo(member.name)
                info.size = len(new)
                made.addfile(info, io.BytesIO(new))
        if extra:
            made.addfile(tarfile.TarInfo(extra))


@pytest.mark.parametrize(
    ("change", "extra", "why"),
    [
        (lambda name, content: content.replace(b"0-", b"1-", 1), "", "damaged or missing"),
        (lambda name, content: None if name == "tables/woman.jsonl" else content, "", "damaged or missing"),
        (lambda name, content: None if name == "manifest.json" else content, "", "no manifest"),
        (lambda name, content: content, "bundles/../../evil", "has no place in a backup"),
        (lambda name, content: content, "/etc/passwd", "has no place in a backup"),
        (lambda name, content: content, "tables/more.jsonl", "stands after the manifest"),
        (lambda name, content: b"[]" if name == "manifest.json" else content, "", "not a backup"),
    ],
)
def test_a_changed_archive_is_refused(
    place: Place, tmp_path: Path, change: Callable[[str, bytes], bytes | None], extra: str, why: str
) -> None:
    archive, other = tmp_path / "a.tar.gz", tmp_path / "other.tar.gz"
    backup(filled(place("sqlite")), archive)
    changed(archive, other, change, extra)
    for work in (verify, lambda path: restore(place("sqlite"), path)):
        with pytest.raises(FetalHealthError, match=why):
            work(other)


def test_other_files_are_no_backup(place: Place, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "hello.tgz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("hello.txt"))
    (tmp_path / "empty.gz").write_bytes(b"")
    (tmp_path / "text.gz").write_bytes(gzip.compress(b"hello"))
    for name in ("hello.tgz", "empty.gz", "text.gz", "none.gz"):
        with pytest.raises(FetalHealthError, match="not a backup that can be restored"):
            restore(place("sqlite"), tmp_path / name)


@BOTH
def test_only_an_empty_installation_takes_a_backup(place: Place, tmp_path: Path, engine: str) -> None:
    source, archive = filled(place(engine)), tmp_path / "a.tar.gz"
    backup(source, archive)
    before = rows(source)
    with pytest.raises(FetalHealthError, match="empty"):
        restore(source, archive)
    assert rows(source) == before
    with pytest.raises(FetalHealthError, match="exists already"):
        backup(source, archive)
    with pytest.raises(FetalHealthError, match="no database"):
        backup(place("sqlite"), tmp_path / "b.tar.gz")


def test_an_archive_of_the_first_format(place: Place, tmp_path: Path) -> None:
    old = filled(place("sqlite"), "0004")
    connection = sqlite3.connect(old.home / "fetal-health.db", isolation_level=None)
    connection.execute("DELETE FROM stored_file")  # those of the test have invented hashes
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    archive, target = tmp_path / "first.tar.gz", place("sqlite")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(old.home / "fetal-health.db", "fetal-health.db")
    content = archive.read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(content[:-9])
    with pytest.raises(FetalHealthError, match="not a backup"):
        restore(place("sqlite"), tmp_path / "cut.tar.gz")
    assert restore(target, archive).version == "first format"
    engine = make_engine(target.database)
    assert contents(engine)["woman"][0]["version"] == 0
    engine.dispose()


@BOTH
def test_a_migration_is_preceded_by_a_backup_that_leads_back(place: Place, tmp_path: Path, engine: str) -> None:
    """The how-to of an upgrade: backup, new release, migrate, failed check, restore with the old release."""
    old = filled(place(engine), "0004")
    before = rows(old)
    archive = upgrade(old)
    assert archive is not None
    assert verify(archive).schema == "0004"
    assert upgrade(old) is None  # nothing to do
    back = place(engine)
    shutil.copy(archive, tmp_path / "kept.tar.gz")
    restore(back, tmp_path / "kept.tar.gz")
    database = make_engine(back.database)
    migrate(database, "0004")  # what the old release finds
    database.dispose()
    assert rows(back) == before
