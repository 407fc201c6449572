"""Rows as JSON lines, and back: the same on both engines."""

import json
from base64 import b64decode, b64encode
from datetime import UTC, date, datetime
from typing import IO, Any

from sqlalchemy import JSON, Column, Connection, Integer, LargeBinary, MetaData, Table, func, insert, select, text
from sqlalchemy import Date as DateType
from sqlalchemy import DateTime as DateTimeType

CHUNK = 200


def written(value: Any) -> Any:
    """A value of a row as JSON holds it."""
    if isinstance(value, bytes | memoryview):
        return b64encode(bytes(value)).decode()
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    return value.isoformat() if isinstance(value, date) else value


def _read(column: Column[Any], value: Any) -> Any:
    """Inverse of `written` for a column; a ValueError where the value is of another kind."""
    if value is None or isinstance(column.type, JSON):
        return value
    if isinstance(column.type, LargeBinary):
        return b64decode(value, validate=True)
    if isinstance(column.type, DateTimeType):
        moment = datetime.fromisoformat(value)
        return moment if column.type.timezone else moment.astimezone(UTC).replace(tzinfo=None)
    return date.fromisoformat(value) if isinstance(column.type, DateType) else value


def insert_lines(connection: Connection, table: Table, content: IO[bytes]) -> None:
    """Insert the rows of a table: the first line names its columns.

    Raises
    ------
    ValueError, KeyError
        A line is not what `written` gives.
    """
    columns = [table.columns[name] for name in json.loads(content.readline())]
    rows: list[dict[str, Any]] = []
    for line in content:
        values = json.loads(line)
        rows.append({c.name: _read(c, value) for c, value in zip(columns, values, strict=True)})
        if len(rows) == CHUNK:
            connection.execute(insert(table), rows)
            rows = []
    if rows:
        connection.execute(insert(table), rows)


def after_insertion(connection: Connection, tables: MetaData) -> None:
    """Let numbers go on after the largest one (PostgreSQL), and check that no row lacks its parent (SQLite)."""
    if connection.dialect.name == "sqlite":
        if connection.execute(text("PRAGMA foreign_key_check")).first() is not None:
            raise ValueError("a row lacks the row that it refers to")
        return
    for table in tables.sorted_tables:
        key = list(table.primary_key)
        if len(key) == 1 and isinstance(key[0].type, Integer) and not key[0].foreign_keys:
            largest = connection.scalar(select(func.max(key[0]))) or 0
            name = connection.scalar(select(func.pg_get_serial_sequence(table.name, key[0].name)))
            if name is not None and largest:
                connection.execute(select(func.setval(name, largest)))
