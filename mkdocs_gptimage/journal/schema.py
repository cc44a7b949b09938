"""Compares a journal's database with one that diskcache makes: triggers, views and settings in it would be run."""

from __future__ import annotations

import contextlib
import functools
import re
import shlex
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_OBJECTS = "SELECT name, type, tbl_name, sql FROM sqlite_master"
_SETTINGS = "SELECT key, value FROM Settings"
_COUNTERS = frozenset({"count", "size", "hits", "misses"})
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
"""A name that needs no quotes in SQL or in a shell."""


def require_library_schema(connection: sqlite3.Connection, path: Path, make: Callable[[str], Any]) -> None:
    """Raise `ConfigurationError` for a database with anything in it that diskcache does not make.

    `make` opens a new database of the same kind in a folder. Reads two tables, and runs nothing.
    """
    connection.execute("PRAGMA trusted_schema = OFF")
    objects, settings = _library(make)
    found = _rows(connection, _OBJECTS)
    for name, each in found.items():
        if objects.get(name) != each:
            raise _refusal(path, f"{each[0]} {quote(name)}", _drop(each[0], name))
    if "Settings" not in found:
        return
    for name, (value,) in _rows(connection, _SETTINGS).items():
        is_counter = name in _COUNTERS and type(value) is int
        if not is_counter and (name not in settings or settings[name] != (value,)):
            raise _refusal(path, f"setting {quote(name)}", _delete(name))


@functools.lru_cache(maxsize=1)
def _library(make: Callable[[str], Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The objects and the settings of a new database."""
    with tempfile.TemporaryDirectory(prefix="gptimage-") as folder:
        make(folder).close()
        with contextlib.closing(sqlite3.connect(Path(folder, "cache.db"))) as connection:
            return _rows(connection, _OBJECTS), _rows(connection, _SETTINGS)


def _rows(connection: sqlite3.Connection, query: str) -> dict[str, tuple[Any, ...]]:
    return {str(name): tuple(values) for name, *values in connection.execute(query)}


def _drop(kind: str, name: str) -> str:
    """The statement that removes an object; empty for the table of what is in flight, and for names to be quoted."""
    is_plain = _PLAIN_NAME.fullmatch(name) and _PLAIN_NAME.fullmatch(kind)
    return f"DROP {kind.upper()} {name}" if is_plain and (kind, name) != ("table", "Cache") else ""


def _delete(name: str) -> str:
    return f"DELETE FROM Settings WHERE key = '{name}'" if _PLAIN_NAME.fullmatch(name) else ""  # noqa: S608 - printed


def _refusal(path: Path, what: str, command: str) -> ConfigurationError:
    by_hand = f", or remove it with: sqlite3 {shlex.quote(str(path))} {shlex.quote(command)}" if command else ""
    return ConfigurationError(
        f"the journal '{path.parent}' holds the {what}, which this plugin did not make, or not so; nothing of it was "
        "run, and nothing was submitted. What is in flight is still in it ('gptimage plan' lists it): restore "
        f"'{path.name}' from a backup{by_hand}"
    )
