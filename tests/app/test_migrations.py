"""Migrations with rows in every table, on both engines: nothing is lost, and nothing is left half way."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import IntegrityError

import app.cli
from app import migration, schema
from app.database import make_engine, migrate
from app.main import create_app
from app.orm import Base
from app.settings import Settings
from models.errors import FetalHealthError
from tests.app.conftest import new_database
from tests.app.filled import ROWS, common, contents, fill, state

ON_POSTGRESQL = pytest.param("postgresql", marks=[pytest.mark.soak, pytest.mark.network])
VERSIONS = schema.revisions()
OLDER = VERSIONS[:-1]
MADE: dict[tuple[str, bool], bytes] = {}
NEXT = f"{int(VERSIONS[-1]) + 1:04}"
UPGRADE = """
    op.create_table("extra", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("word", sa.String(20)))
    op.execute("INSERT INTO extra (word) VALUES ('kept')")
    op.execute("UPDATE woman SET pseudonym = pseudonym || '!'")
    with op.batch_alter_table("assessment") as batch:
        batch.add_column(sa.Column("colour", sa.String(10), nullable=False, server_default="red"))
    with op.batch_alter_table("assessment") as batch:
        batch.alter_column("colour", server_default=None)
"""
DOWNGRADE = """
    with op.batch_alter_table("assessment") as batch:
        batch.drop_column("colour")
    op.execute("UPDATE woman SET pseudonym = substr(pseudonym, 1, length(pseudonym) - 1)")
    op.drop_table("extra")
"""


@pytest.fixture(params=["sqlite", ON_POSTGRESQL])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database that nothing has touched, on either engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'a.db'}"
    return new_database(request.getfixturevalue("postgresql"))


@pytest.fixture
def engine(empty: str) -> Iterator[Engine]:
    made = make_engine(empty)
    yield made
    made.dispose()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Engine]:
    made = make_engine(f"sqlite:///{tmp_path / 'a.db'}")
    yield made
    made.dispose()


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations, to which a test adds the next one."""
    folder = tmp_path / "migrations"
    shutil.copytree(schema.SCRIPTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(schema, "SCRIPTS", folder)
    return folder


def add(scripts: Path, name: str, upgrade: str = UPGRADE, downgrade: str = DOWNGRADE) -> None:
    """Write the next migration, in the place of one that was written before."""
    for path in (scripts / "versions").glob(f"v{NEXT}_*.py"):
        path.unlink()
    (scripts / "versions" / f"v{NEXT}_{name}.py").write_text(
        f'import time\nimport sqlalchemy as sa\nfrom alembic import op\n\nrevision = "{NEXT}"\n'
        f'down_revision = "{VERSIONS[-1]}"\n\n\ndef upgrade():{upgrade}\n\ndef downgrade():{downgrade}',
        encoding="utf-8",
    )


def migrated(engine: Engine, revision: str = VERSIONS[-1], *, rows: bool = False) -> Engine:
    """Bring an empty database to a revision. SQLite's file is made once for each revision, and then copied."""
    path = Path(engine.url.database or "") if engine.dialect.name == "sqlite" else None
    if path and (revision, rows) in MADE:
        assert not path.exists()
        path.write_bytes(MADE[revision, rows])
        return engine
    migrate(engine, revision)
    if rows:
        fill(engine)
    if path:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        MADE[revision, rows] = path.read_bytes()
    return engine


def filled(engine: Engine, revision: str = VERSIONS[-1]) -> Engine:
    migrated(engine, revision, rows=True)
    assert {len(rows) for name, rows in contents(engine).items() if name != "alembic_version"} == {ROWS}
    return engine


def revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return schema.revision_of(connection)


def assert_whole(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        if engine.dialect.name == "sqlite":
            assert connection.scalar(text("PRAGMA foreign_keys")) == 1
            assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
    assert schema.shortfall(engine) == ""
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text("INSERT INTO fetus (id, pregnancy_id, label) VALUES (99, 99, 'z')"))


def migrate_as_before(engine: Engine, revision: str, go: Callable[[Config, str], None] = command.upgrade) -> None:
    """Migrate as releases up to schema 0004 did: foreign keys enforced, the driver's own transactions."""
    config = Config()
    config.set_main_option("script_location", str(schema.SCRIPTS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        go(config, revision)


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_rows_in_every_table_survive_up_down_and_up_again(engine: Engine, version: str) -> None:
    filled(engine, version)
    before = contents(engine)
    del before["alembic_version"]
    migrate(engine)
    assert common(contents(engine), before) == common(before, contents(engine))
    assert_whole(engine)
    fill(engine)
    assert all(contents(engine).values())
    migrate(engine, version)
    after = contents(engine)
    assert after.pop("alembic_version") == [{"version_num": version}]
    assert after == before
    migrate(engine)
    assert common(contents(engine), before) == common(before, contents(engine))
    assert_whole(engine)
    migrate(engine, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]


@pytest.mark.slow
def test_relative_and_named_revisions_go_the_right_way(engine: Engine) -> None:
    filled(engine, VERSIONS[1])
    for wanted, reached in (("+1", VERSIONS[2]), ("-2", VERSIONS[0]), (VERSIONS[2], VERSIONS[2])):
        migrate(engine, wanted)
        assert revision(engine) == reached
    migrate(engine, VERSIONS[2])
    migrate(engine, VERSIONS[1])
    assert revision(engine) == VERSIONS[1]


def test_the_longest_dating_method_is_shortened_and_comes_back(engine: Engine) -> None:
    filled(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE pregnancy SET dating_method = 'last menstrual period' WHERE id = 1"))
    before = contents(engine)["pregnancy"]
    migrate(engine, "0001")
    assert contents(engine)["pregnancy"][0]["dating_method"] == "last menstrual perio"
    migrate(engine)
    assert contents(engine)["pregnancy"] == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("last", "error", "words"),
    [
        ("op.execute('UPDATE nothing SET x = 1')", FetalHealthError, "nothing was changed: .*nothing"),
        ("op.execute('DELETE FROM woman WHERE id = 2')", FetalHealthError, "nothing was changed"),
        ("raise RuntimeError('a mistake')", RuntimeError, "a mistake"),
    ],
)
def test_a_migration_that_fails_in_the_middle_changes_nothing(
    engine: Engine, scripts: Path, last: str, error: type[Exception], words: str
) -> None:
    filled(engine)
    before = state(engine)
    add(scripts, "fails", upgrade=f"{UPGRADE}    {last}\n")
    for _ in range(2):
        with pytest.raises(error, match=words):
            migrate(engine)
        assert state(engine) == before
    add(scripts, "works", downgrade=f"{DOWNGRADE}    {last}\n")
    migrate(engine)
    after = state(engine)
    assert contents(engine)["extra"] == [{"id": 1, "word": "kept"}]
    assert {row["colour"] for row in contents(engine)["assessment"]} == {"red"}
    with pytest.raises(error, match=words):
        migrate(engine, OLDER[0])
    assert state(engine) == after
    add(scripts, "goes_back")
    migrate(engine, VERSIONS[-1])
    assert state(engine) == before
    assert_foreign_keys(engine)


def assert_foreign_keys(engine: Engine) -> None:
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text("DELETE FROM woman WHERE id = 2"))


def start(address: str, scripts: Path) -> "subprocess.Popen[str]":
    """Migrate in a process of its own, which says so just before it begins."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom app import migration, schema\n"
        "from app.database import make_engine, migrate\n"
        "schema.SCRIPTS = Path(sys.argv[2])\nprint('begins', flush=True)\nmigrate(make_engine(sys.argv[1]))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(app.cli.__file__).parent.parent)}
    line = [sys.executable, "-c", code, address, str(scripts)]
    return subprocess.Popen(line, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def hold(engine: Engine) -> Any:
    """Take the lock that a migration takes."""
    connection = engine.connect()
    if engine.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": migration.ADVISORY_LOCK})
    return connection


@pytest.mark.slow
@pytest.mark.parametrize("version", [None, VERSIONS[0]])
def test_processes_that_migrate_at_once_wait_for_each_other(
    empty: str, engine: Engine, version: str | None, scripts: Path
) -> None:
    add(scripts, "slow", upgrade=f"{UPGRADE}    time.sleep(0.2)\n")
    if version:
        filled(engine, version)
        held = hold(engine)
    processes = [start(empty, scripts) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
    if version:
        assert all(process.poll() is None for process in processes)
        held.close()
    for process in processes:
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint
    rows = contents(engine)
    assert rows["alembic_version"] == [{"version_num": NEXT}]
    assert len(rows["extra"]) == 1
    if version:
        assert [row["pseudonym"] for row in rows["woman"]] == [f"{number}-pseudonym!" for number in range(ROWS)]


@pytest.mark.slow
def test_a_process_killed_inside_a_migration_changes_nothing(empty: str, engine: Engine, scripts: Path) -> None:
    filled(engine)
    before = state(engine)
    add(scripts, "hangs", upgrade=f"{UPGRADE}    print('inside', flush=True)\n    time.sleep(300)\n")
    process = start(empty, scripts)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["begins\n", "inside\n"]
    process.kill()
    process.communicate(timeout=60)
    assert state(engine) == before
    add(scripts, "works")
    migrate(engine)
    assert revision(engine) == NEXT
    migrate(engine, VERSIONS[-1])
    assert state(engine) == before


def spoil(engine: Engine, number: str = "9999") -> None:
    migrated(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": number})


def test_a_newer_schema_is_refused_in_one_line(engine: Engine, empty: str, tmp_path: Path) -> None:
    spoil(engine)
    before = state(engine)
    settings = Settings(home=tmp_path, data=None)
    settings.database_url = empty
    for go in (
        lambda: migrate(engine),
        lambda: migrate(engine, "base"),
        lambda: migrate(engine, VERSIONS[0]),
        lambda: create_app(settings),
    ):
        with pytest.raises(FetalHealthError, match="has schema 9999, and this release knows 0001 to") as caught:
            go()
        assert "\n" not in str(caught.value)
    assert state(engine) == before


@pytest.mark.slow
@pytest.mark.parametrize("wanted", ["7777", "+9", "-9", "nonsense", "0"])
def test_an_unknown_target_is_refused_in_one_line(sqlite: Engine, wanted: str) -> None:
    filled(sqlite)
    before = state(sqlite)
    with pytest.raises(FetalHealthError, match=f"no schema .*{VERSIONS[-1]}") as caught:
        migrate(sqlite, wanted)
    assert "\n" not in str(caught.value)
    assert state(sqlite) == before


@pytest.mark.parametrize("words", [("migrate",), ("serve",), ("serve", "--prepare"), ("user", "add", "anna")])
def test_the_command_line_refuses_a_newer_schema(
    cli: Any, home: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home.mkdir()
    engine = make_engine(Settings(home=home).database)
    spoil(engine)
    engine.dispose()
    monkeypatch.setattr(sys, "argv", ["fetal-health", *words])
    with pytest.raises(SystemExit) as caught:
        app.cli.main()
    assert caught.value.code == 2
    out, complaint = capsys.readouterr()
    assert out == ""
    assert complaint.startswith("fetal-health: the database has schema 9999")
    assert complaint.count("\n") == 1


@pytest.mark.parametrize("version", [None, *OLDER])
def test_the_application_does_not_start_on_an_older_schema(engine: Engine, empty: str, version: str | None) -> None:
    if version:
        migrated(engine, version)
    settings = Settings(data=None)
    settings.database_url = empty
    with pytest.raises(FetalHealthError, match=r"this release needs .*: run `fetal-health migrate`"):
        create_app(settings)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["0001", "0002"])
def test_an_upgrade_that_an_older_release_left_half_way(sqlite: Engine, version: str) -> None:
    filled(sqlite, version)
    before = contents(sqlite)
    for _ in range(2):  # operators tried again
        with pytest.raises(Exception, match=r"FOREIGN KEY constraint failed|already exists"):
            migrate_as_before(sqlite, "head")
    left = {"0001": {"_alembic_tmp_pregnancy"}, "0002": {"_alembic_tmp_assessment", "outcome", "notice"}}[version]
    assert set(inspect(sqlite).get_table_names()) - before.keys() == left
    migrate(sqlite)
    after = contents(sqlite)
    assert common(after, before) == common(before, after) | {"alembic_version": [{"version_num": VERSIONS[-1]}]}
    assert_whole(sqlite)


def test_a_downgrade_that_an_older_release_left_half_way(
    sqlite: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    filled(sqlite, "0004")
    before = contents(sqlite)
    with pytest.raises(IntegrityError):
        migrate_as_before(sqlite, "0002", command.downgrade)
    assert "schedule" not in inspect(sqlite).get_table_names()
    settings = Settings(home=tmp_path, data=None)
    settings.database_url = str(sqlite.url)
    with pytest.raises(FetalHealthError, match=r"schema 0004.*run `fetal-health migrate`"):
        create_app(settings)
    migrate(sqlite)
    assert "table schedule was missing" in caplog.text
    assert contents(sqlite)["schedule"] == []
    migrate(sqlite, "0004")
    assert contents(sqlite) == before | {"schedule": []}
    migrate(sqlite)
    assert_whole(sqlite)


def test_a_first_migration_that_an_older_release_left_half_way(sqlite: Engine) -> None:
    migrated(sqlite, "0001")
    with sqlite.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
        for lost in ("review", "note"):
            connection.execute(text(f"DROP TABLE {lost}"))
    migrate(sqlite)
    assert_whole(sqlite)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            "INSERT INTO outcome SELECT 1, id, 7.1, '2026-01-01', '2026-01-01', 'a' FROM fetus LIMIT 1",
            "outcome has rows",
        ),
        ("UPDATE assessment SET site = 'north' WHERE id = 2", "assessment.site has values"),
        ("DROP TABLE stored_file; DROP TABLE woman", "table woman is missing, and pregnancy needs it"),
        ("ALTER TABLE note RENAME TO _alembic_tmp_note", "lost table note"),
        ("INSERT INTO fetus VALUES (99, 99, 'z')", "would leave 1 rows of fetus without its pregnancy"),
    ],
)
def test_damage_that_cannot_be_repaired_is_refused_and_left_alone(sqlite: Engine, damage: str, words: str) -> None:
    filled(sqlite, "0002")
    with pytest.raises(IntegrityError):
        migrate_as_before(sqlite, "head")
    sqlite.dispose()
    with sqlite3.connect(str(sqlite.url.database)) as connection:  # without enforced foreign keys
        connection.executescript(damage)
    connection.close()
    before = _dump(sqlite)
    with pytest.raises(FetalHealthError, match=words) as caught:
        migrate(sqlite)
    assert "\n" not in str(caught.value)
    assert "restore a backup" in str(caught.value)
    assert _dump(sqlite) == before


def _dump(engine: Engine) -> list[str]:
    connection = sqlite3.connect(str(engine.url.database))
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


@pytest.mark.slow
def test_tables_of_others_are_left_alone(sqlite: Engine) -> None:
    migrate(sqlite, OLDER[-1])
    with sqlite.begin() as connection:
        connection.execute(text("CREATE TABLE somebody_elses (id INTEGER PRIMARY KEY)"))
    migrate(sqlite)
    assert "somebody_elses" in inspect(sqlite).get_table_names()


def test_file_names_tell_the_revisions() -> None:
    steps = ScriptDirectory(str(schema.SCRIPTS)).walk_revisions()
    assert [step.revision for step in steps] == VERSIONS[::-1]


@pytest.mark.slow
def test_a_server_does_not_load_alembic() -> None:
    code = "import sys, app.main, app.schema; assert 'alembic' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(app.cli.__file__).parent.parent)
