"""The journal: what was submitted and is not yet in the store, so that nothing is paid twice or forgotten.

An intent is written before a submit leaves, the task id as soon as it is known, and the entry is removed once the
bytes are stored. An intent that is found without a task id is a submit whose outcome is unknown. An intent is also a
claim: of builds that run at the same time, only one can write it.

It lives in the cache folder as a diskcache, which would unpickle a row that claims to be a pickle; the disk used here
reads and writes text only.
"""

from __future__ import annotations

import contextlib
import json
import math
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
_FULL = 2  # SQLite's `synchronous`: a row that is written survives a loss of power


class Journal:
    """The flights of one project, by digest; changes are durable when a method returns."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def claim(self, flight: Flight) -> bool:
        """Write a flight if there is none for its picture; whether there was none. Raises `ConfigurationError`."""
        with self._translated():
            return bool(self._cache.add(flight.digest, _to_text(flight)))

    def write(self, flight: Flight) -> None:
        """Write a flight in place of the one there is; raise `ConfigurationError` when that is not possible."""
        with self._translated():
            self._cache.set(flight.digest, _to_text(flight))

    def replace(self, known: Flight, flight: Flight) -> bool:
        """Write a flight in place of this one; whether it was still there. Raises `ConfigurationError` as above."""
        with self._translated(), self._cache.transact():
            found = _from_text(self._cache.get(known.digest))
            if found is None or found.idempotency_key != known.idempotency_key:
                return False
            self._cache.set(flight.digest, _to_text(flight))
            return True

    def forget(self, flight: Flight) -> None:
        """Remove a flight, but not a later one for the same picture; raise `ConfigurationError` as above."""
        with self._translated(), self._cache.transact():
            known = _from_text(self._cache.get(flight.digest))
            if known is None or known.idempotency_key == flight.idempotency_key:
                self._cache.delete(flight.digest)

    def flights(self) -> dict[str, Flight]:
        """All entries by digest; rows that are not ours are passed over."""
        with self._translated():
            read = (_from_text(self._cache.get(digest)) for digest in list(self._cache))
            return {flight.digest: flight for flight in read if flight is not None}

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error, diskcache.Timeout) as error:
            raise ConfigurationError(f"the journal '{self._cache.directory}' cannot be used ({error})") from error


def _to_text(flight: Flight) -> str:
    return json.dumps({**asdict(flight), "stage": flight.stage.value})


def _from_text(text: Any) -> Flight | None:
    """Read a row; None for one that is not ours."""
    try:
        record = json.loads(text)
        flight = Flight(**{**record, "stage": Stage(record["stage"])})
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    texts = (flight.digest, flight.base_url, flight.idempotency_key, flight.where, flight.reason)
    targets = (flight.task_id, flight.link)
    is_ours = (
        all(isinstance(text, str) for text in texts)
        and all(target is None or isinstance(target, str) for target in targets)
        and type(flight.submitted_at) in (int, float)
        and math.isfinite(flight.submitted_at)
    )
    return flight if is_ours else None


@contextlib.contextmanager
def opened(cache: Path) -> Iterator[Journal]:
    """Open the journal below the cache folder; raise `ConfigurationError` when it cannot be used."""
    folder = cache / FOLDER
    try:
        cache_folder.prepare(cache)
        store = diskcache.Cache(
            str(folder),
            disk=_TextDisk,
            eviction_policy="none",
            timeout=_LOCK_SECONDS,
            sqlite_synchronous=_FULL,
        )
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

    def remove(self, file_path: Any) -> None:
        """Remove nothing: no row of ours has a file, and one that says so may name any."""
