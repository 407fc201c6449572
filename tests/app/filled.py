"""Rows for every table of a schema that is only known by reflection, and what a database holds."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Column, Connection, Engine, MetaData, Table, func, inspect, select

ROWS = 3
MOMENT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
Contents = dict[str, list[dict[str, Any]]]


def fill(engine: Engine) -> None:
    """Put rows into every table without: keys lead to rows, unique values differ, the second row has the NULLs."""
    with engine.begin() as connection:
        tables = MetaData()
        tables.reflect(connection)
        for table in tables.sorted_tables:
            if table.name != "alembic_version" and not connection.scalar(select(func.count()).select_from(table)):
                for number in range(ROWS):
                    row = {column.name: _value(connection, column, number) for column in table.columns}
                    connection.execute(table.insert().values(row))


def _value(connection: Connection, column: Column[Any], number: int) -> Any:
    if column.nullable and number == 1:
        return None
    for key in column.foreign_keys:
        parents = _values(connection, key.column)
        own = key.column.table is column.table
        return (parents[-1] if parents else None) if own else parents[number]
    return _plain(column, number)


def _values(connection: Connection, column: Column[Any]) -> list[Any]:
    return list(connection.scalars(select(column).order_by(column)))


# What migrations do not carry over: the detail says how often a row was repeated, and attempts are counted elsewhere.
PASSING = {"times": 1, "failed_attempts": 0, "locked_until": None}


def _plain(column: Column[Any], number: int) -> Any:
    if isinstance(column.type, JSON):
        return {"of": column.name, "number": number, "nested": [None, 0.1, "ä"]}
    kind = column.type.python_type
    if column.name in PASSING:
        return PASSING[column.name]
    if kind is str:
        return f"{number}-{column.name}"[: getattr(column.type, "length", None)]
    if kind is datetime:
        moment = MOMENT + timedelta(days=number)
        return moment if getattr(column.type, "timezone", False) else moment.replace(tzinfo=None)
    made = {
        bool: number % 2 == 0,
        int: number + 1,
        float: number + 0.25,
        date: date(2026, 5, 1) + timedelta(days=number),
        bytes: bytes([number, 0, 255]),
    }
    return made[kind]


def contents(engine: Engine) -> Contents:
    """Every row of every table, by primary key."""
    with engine.connect() as connection:
        tables = MetaData()
        tables.reflect(connection)
        return {table.name: _rows(connection, table) for table in tables.sorted_tables}


def _rows(connection: Connection, table: Table) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]


def common(rows: Contents, like: Contents) -> Contents:
    """Restrict contents to the tables and columns that `like` has."""
    return {
        name: [{key: row[key] for key in row if key in like[name][0]} for row in kept]
        for name, kept in rows.items()
        if like.get(name)
    }


def state(engine: Engine) -> tuple[Any, ...]:
    """Everything that a migration could change: columns, indexes, keys, rows and the revision."""
    look = inspect(engine)
    reflected = (look.get_columns, look.get_indexes, look.get_foreign_keys, look.get_unique_constraints)
    tables = sorted(look.get_table_names())
    shape = {name: [sorted(map(str, reflect(name))) for reflect in reflected] for name in tables}
    return shape, contents(engine)
