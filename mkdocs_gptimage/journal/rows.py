"""Reads the rows of a journal's database without writing to it, from a read-only folder too."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

import diskcache

if TYPE_CHECKING:
    from pathlib import Path


def read_rows(path: Path, seconds: float) -> list[tuple[str, str]]:
    """Return (key, text) of all rows whose key is text; a value that is no text of ours reads as an empty one.

    Raises `sqlite3.Error`, for a lock that is held longer than `seconds` too.
    """
    address = f"{path.absolute().as_uri()}?mode=ro"
    try:
        return _query(address, seconds)
    except sqlite3.OperationalError:
        if os.access(path.parent, os.W_OK):
            raise
        # In a folder that is read-only, SQLite cannot make its files beside the database, and no build can write.
        return _query(f"{address}&immutable=1", seconds)


def _query(address: str, seconds: float) -> list[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=seconds)) as connection:
        require_plain_tables(connection)
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'Cache'").fetchone():
            return []
        rows = connection.execute("SELECT key, value, mode FROM Cache").fetchall()
    return [
        (key, value if mode == diskcache.core.MODE_RAW and isinstance(value, str) else "")
        for key, value, mode in rows
        if isinstance(key, str)
    ]


def require_plain_tables(connection: sqlite3.Connection) -> None:
    """Raise `sqlite3.DatabaseError` for a database whose tables are more than rows.

    Columns that are computed may yield gigabytes from a small file, and virtual tables are read by code.
    """
    tables = list(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
    for table, sql in tables:
        if not str(sql).upper().startswith("CREATE TABLE"):
            raise sqlite3.DatabaseError(f"its table {table} is a virtual one, which no journal has")
        # The last value is 2 or 3 for a column that is computed.
        if any(column[-1] for column in connection.execute(f"PRAGMA table_xinfo({_quoted(table)})")):
            raise sqlite3.DatabaseError("it has computed columns, which no journal has")


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
