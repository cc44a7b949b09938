"""The journal: what was submitted and is not yet in the store, so that nothing is paid twice or forgotten.

An intent is written before a submit leaves, the task id as soon as it is known, and the entry is removed once the
bytes are stored. An intent that is found without a task id is a submit whose outcome is unknown.

It lives in the cache folder as a diskcache, which would unpickle a row that claims to be a pickle; the disk used here
reads and writes text only.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import diskcache

from . import cache_folder
from .errors import ConfigurationError
from .flights import Flight, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = "journal"
_LOCK_SECONDS = 10


class Journal:
    """The flights of one project, by digest; changes are durable when a method returns."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def write(self, flight: Flight) -> None:
        record = {**asdict(flight), "stage": flight.stage.value}
        self._cache.set(flight.digest, json.dumps(record))

    def forget(self, digest: str) -> None:
        self._cache.delete(digest)

    def flights(self) -> dict[str, Flight]:
        """All entries by digest; rows that are not ours are passed over."""
        found = {}
        for digest in list(self._cache):
            with contextlib.suppress(ValueError, TypeError, KeyError):
                record = json.loads(self._cache.get(digest))
                flight = Flight(**{**record, "stage": Stage(record["stage"])})
                found[flight.digest] = flight
        return found


@contextlib.contextmanager
def opened(cache: Path) -> Iterator[Journal]:
    """Open the journal below the cache folder; raise `ConfigurationError` when it cannot be used."""
    folder = cache / FOLDER
    try:
        cache_folder.prepare(cache)
        store = diskcache.Cache(str(folder), disk=_TextDisk, eviction_policy="none", timeout=_LOCK_SECONDS)
    except (OSError, sqlite3.Error, diskcache.Timeout) as error:
        raise ConfigurationError(f"the journal '{folder}' cannot be opened ({error}); nothing was submitted") from error
    try:
        yield Journal(store)
    finally:
        store.close()


def recorded(cache: Path) -> dict[str, Flight]:
    """What the journal holds; empty, without creating anything, where there is no journal yet."""
    if not (cache / FOLDER).is_dir():
        return {}
    with opened(cache) as journal:
        return journal.flights()


class _TextDisk(diskcache.Disk):  # type: ignore[misc] # diskcache ships no types
    """Keys and values are text, stored as they are; anything else in the database reads as an empty text."""

    def put(self, key: Any) -> tuple[str, bool]:
        return str(key), True

    def get(self, key: Any, raw: bool) -> str:  # noqa: ARG002 - the row's own claim is not believed
        return key if isinstance(key, str) else ""

    def store(self, value: Any, read: bool, key: Any = diskcache.UNKNOWN) -> tuple[int, int, None, str]:  # noqa: ARG002
        return 0, diskcache.core.MODE_RAW, None, str(value)

    def fetch(self, mode: int, filename: Any, value: Any, read: bool) -> str:  # noqa: ARG002
        return value if mode == diskcache.core.MODE_RAW and isinstance(value, str) else ""
