"""Upgrades and downgrades with rows in every table: whole or not at all, on SQLite and PostgreSQL."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Engine, MetaData, inspect, text
from sqlalchemy.exc import IntegrityError

from app import schema
from app.database import Base, make_engine, migrate
from app.main import create_app
from app.settings import Settings
from models.errors import SchemaError

VERSIONS = ["0001", "0002", "0003", "0004"]
Rows = dict[str, list[dict[str, Any]]]
# Columns that a migration adds to a table that was there.
ADDED = {"assessment": {"site"}}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.slow, pytest.mark.network])])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database."""
    if request.param == "sqlite":
        engine = make_engine(f"sqlite:///{tmp_path / 'record.db'}")
    else:
        engine = make_engine(request.getfixturevalue("postgresql"))
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    yield engine
    engine.dispose()


def tables(engine: Engine) -> MetaData:
    metadata = MetaData()
    metadata.reflect(engine)
    metadata.remove(metadata.tables["alembic_version"])
    return metadata


def value(column: Column[Any], row: int) -> Any:
    """A value of the column's type, different in each row."""
    kind = column.type.python_type
    if kind is str:
        return f"{column.name} {row}"[: getattr(column.type, "length", None) or 80]
    samples: dict[type, Any] = {
        int: row,
        float: row + 0.25,
        bool: row % 2 == 0,
        bytes: bytes([row, 255]),
        object: {"row": row},  # JSON
        date: date(2026, 1, row),
        datetime: datetime(2026, 1, row, 12, tzinfo=UTC if getattr(column.type, "timezone", False) else None),
    }
    return samples[kind]


def fill(engine: Engine) -> None:
    """Two rows in every table; the second one refers to the first where a table refers to itself."""
    with engine.begin() as connection:
        for table in tables(engine).sorted_tables:
            for row in (1, 2):
                entry: dict[str, Any] = {}
                for column in table.columns:
                    reference = next(iter(column.foreign_keys), None)
                    if reference is None:
                        entry[column.name] = value(column, row)
                    elif reference.column.table is not table:
                        entry[column.name] = value(reference.column, row)
                    else:
                        entry[column.name] = value(reference.column, 1) if row == 2 else None
                connection.execute(table.insert(), entry)


def rows(engine: Engine) -> Rows:
    with engine.connect() as connection:
        return {
            table.name: list(map(dict, connection.execute(table.select().order_by(*table.primary_key)).mappings()))
            for table in tables(engine).sorted_tables
        }


def assert_kept(before: Rows, after: Rows) -> None:
    """Every value of a column that stands in both."""
    assert all(len(entries) == 2 for entries in before.values())
    for name in before.keys() & after.keys():
        common = before[name][0].keys() & after[name][0].keys()
        assert before[name][0].keys() ^ after[name][0].keys() <= ADDED.get(name, set())
        for old, new in zip(before[name], after[name], strict=True):
            assert {key: old[key] for key in common} == {key: new[key] for key in common}, name


def version(engine: Engine) -> str | None:
    with engine.connect() as connection:
        found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def test_the_versions_are_those_of_the_files() -> None:
    assert schema._versions() == VERSIONS


@pytest.mark.parametrize("start", VERSIONS)
def test_every_row_survives_the_way_up_down_and_up(engine: Engine, start: str) -> None:
    migrate(engine, start)
    fill(engine)
    before = rows(engine)
    migrate(engine)
    assert version(engine) == VERSIONS[-1]
    assert_kept(before, rows(engine))
    migrate(engine, start)
    assert version(engine) == start
    assert_kept(before, rows(engine))
    migrate(engine)
    assert_kept(before, rows(engine))


@pytest.mark.parametrize("target", [*VERSIONS[:-1], "-1", "base"])
def test_every_downgrade_from_the_present_version(engine: Engine, target: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    fill(engine)
    before = rows(engine)
    migrate(engine, target)
    if target == "base":
        assert tables(engine).tables == {}
    else:
        assert_kept(before, rows(engine))


def test_references_are_enforced_after_a_migration(engine: Engine) -> None:
    migrate(engine)
    fill(engine)
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text("DELETE FROM woman"))


def test_a_migration_that_fails_changes_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(engine, "0001")
    fill(engine)
    before, tables_before = rows(engine), set(inspect(engine).get_table_names())
    with monkeypatch.context() as patched:  # the last of three migrations fails, the others are done
        patched.setattr("alembic.op.create_table", _fails_for("schedule"))
        with pytest.raises(RuntimeError, match="schedule"):
            migrate(engine)
    assert version(engine) == "0001"
    assert rows(engine) == before
    assert set(inspect(engine).get_table_names()) == tables_before
    migrate(engine)
    assert_kept(before, rows(engine))


def _fails_for(name: str) -> Callable[..., Any]:
    from alembic import op

    real = op.create_table

    def create(table: str, *columns: Any, **options: Any) -> Any:
        if table == name:
            raise RuntimeError(name)
        return real(table, *columns, **options)

    return create


def test_rows_that_refer_to_nothing_stop_a_migration(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'record.db'}")
    migrate(engine, "0001")
    fill(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql("DELETE FROM woman WHERE id = 1")
        connection.commit()
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")
    with pytest.raises(SchemaError, match="rows of pregnancy refer to rows that do not exist; nothing was changed"):
        migrate(engine)
    assert version(engine) == "0001"


def test_two_that_migrate_at_once_wait_for_each_other(engine: Engine) -> None:
    migrate(engine, "0001")
    fill(engine)
    before, errors = rows(engine), []

    def work() -> None:
        own = make_engine(engine.url.render_as_string(hide_password=False))
        try:
            migrate(own)
        except Exception as error:
            errors.append(error)
        own.dispose()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert version(engine) == VERSIONS[-1]
    assert_kept(before, rows(engine))


KILLED = """
import sys
from alembic import op
from app.database import make_engine, migrate
real = op.create_table
def create(name, *columns, **options):
    if name == "schedule":
        print("there", flush=True)
        sys.stdin.read()
    return real(name, *columns, **options)
op.create_table = create
migrate(make_engine(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_process_that_is_killed_in_the_middle_changes_nothing(engine: Engine) -> None:
    migrate(engine, "0001")
    fill(engine)
    before = rows(engine)
    line = [sys.executable, "-c", KILLED, engine.url.render_as_string(hide_password=False)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        process.kill()
    assert version(engine) == "0001"
    assert rows(engine) == before
    migrate(engine)
    assert_kept(before, rows(engine))


def damaged(tmp_path: Path, at: str, *statements: str) -> tuple[Engine, Rows]:
    """A database as an earlier release left it when it failed in the middle."""
    engine = make_engine(f"sqlite:///{tmp_path / 'record.db'}")
    migrate(engine, at)
    fill(engine)
    before = rows(engine)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    return engine, before


@pytest.mark.parametrize(
    ("at", "statements"),
    [
        ("0001", ["CREATE TABLE _alembic_tmp_pregnancy (id INTEGER)"]),
        ("0001", ["ALTER TABLE pregnancy RENAME TO _alembic_tmp_pregnancy"]),
        (
            "0002",
            [
                "CREATE TABLE _alembic_tmp_assessment (id INTEGER)",
                "CREATE TABLE outcome (id INTEGER)",
                "CREATE TABLE notice (id INTEGER)",
            ],
        ),
    ],
)
def test_what_an_earlier_release_left_half_done_is_put_right(tmp_path: Path, at: str, statements: list[str]) -> None:
    engine, before = damaged(tmp_path, at, *statements)
    migrate(engine)
    assert_kept(before, rows(engine))


def test_a_table_that_a_failed_downgrade_dropped_is_made_again(tmp_path: Path) -> None:
    engine, before = damaged(
        tmp_path, "0004", "DROP TABLE schedule", "CREATE TABLE _alembic_tmp_assessment (id INTEGER)"
    )
    migrate(engine)
    del before["schedule"]
    after = rows(engine)
    assert after.pop("schedule") == []
    assert after == before


def test_a_left_over_table_with_rows_is_not_dropped(tmp_path: Path) -> None:
    engine, _ = damaged(
        tmp_path,
        "0002",
        "CREATE TABLE _alembic_tmp_assessment (id INTEGER)",
        "CREATE TABLE outcome (id INTEGER)",
        "INSERT INTO outcome VALUES (1)",
    )
    with pytest.raises(SchemaError, match="table outcome does not belong to schema 0002 and has rows"):
        migrate(engine)


def test_a_schema_newer_than_the_code_is_refused_in_one_line(engine: Engine, tmp_path: Path) -> None:
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    settings = Settings(home=tmp_path, data=None)
    settings.database_url = engine.url.render_as_string(hide_password=False)
    for refused in (lambda: migrate(engine), lambda: create_app(settings)):
        with pytest.raises(SchemaError, match="schema is at 9999, which this release does not know"):
            refused()


def test_an_older_schema_is_not_served(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, data=None)
    engine = make_engine(settings.database)
    migrate(engine, "0002")
    engine.dispose()
    with pytest.raises(SchemaError, match="at 0002, this release needs 0004: fetal-health migrate"):
        create_app(settings)


def test_a_version_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'record.db'}")
    with pytest.raises(SchemaError, match="no schema '0815': it is head, base, one of 0001"):
        migrate(engine, "0815")


def test_the_command_refuses_in_one_line(cli: Callable[..., Any], settings: Settings) -> None:
    engine = make_engine(settings.database)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    answer = cli("migrate")
    assert isinstance(answer.exception, SchemaError)
