"""The journal of submitted work that is not stored yet; it prevents double payment and lost pictures.

An intent is written before a submit leaves, the task id as soon as it is known, and the entry is removed once the
bytes are stored. An intent is also a claim: of builds that run at the same time, only one can write it, and the others
see by its lease whether it is still at work. An intent whose run is dead is a submit whose outcome is unknown.

It lies in the store's folder `.journal`, because caches are deleted and restored from another day, and what is in
flight must not be. It is a diskcache, which would unpickle a row that claims to be a pickle; the disk used here reads
and writes text only.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diskcache

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.fs import atomic_write, stat_regular_file
from mkdocs_gptimage.journal.lease import hold_lease
from mkdocs_gptimage.journal.rows import read_rows, require_plain_tables
from mkdocs_gptimage.journal.schema import require_library_schema
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.owned_folder import claim_folder, make_subfolder, require_plain_files
from mkdocs_gptimage.resources import lack_of, lack_of_files, resource_error
from mkdocs_gptimage.spec.digest import Digest, is_digest

if TYPE_CHECKING:
    from collections.abc import Iterator


FOLDER = "journal"
DATABASE = "cache.db"
_LOCK_SECONDS = 5
RESERVE = "room"
_RESERVE_BYTES = 256 * 1024
"""Pages of the database for thirty tasks of short prompts."""
_BYTES_OF_A_TASK = 12 * 1024
"""Pages of the database that writing a task takes, beside its request."""
# SQLite's `synchronous`. A row that decides about money survives a loss of power; what the store or a lease tells as
# well need not.
_FULL, _NORMAL = 2, 1
_FIELDS = frozenset(field.name for field in fields(Submission))
_LAST_SECOND = 253_402_300_799.0  # of the year 9999
_ADVICE = (
    "nothing was submitted. It is the memory of what is in flight: another build may hold it, the disk may be full or "
    "not writable; if it is damaged, delete this folder, and with it the knowledge of pictures that are paid for and "
    "not yet in the store"
)


class Journal:
    """The submissions of one store, by digest.

    A change survives the end of the process when a method returns, and a loss of power unless the method says
    otherwise. All of them raise `ConfigurationError` when the journal cannot be used.
    """

    def __init__(self, cache: Any, run: str) -> None:
        self._cache = cache
        self.run = run
        """The lease of this run, for the submissions that it writes."""
        self._identity = self._identify()

    def claim(self, submission: Submission) -> bool:
        """Write a submission if there is none for its picture; whether there was none."""
        with self._durably():
            is_new = bool(self._cache.add(submission.digest, _to_text(submission)))
        self._require_present()
        return is_new

    def write(self, submission: Submission) -> None:
        """Write a submission in place of the one there is, on a full disk into the room that was kept for that."""
        try:
            with self._durably():
                self._cache.set(submission.digest, _to_text(submission))
        except ConfigurationError:
            if not self._give_room():
                raise
            with self._durably():
                self._cache.set(submission.digest, _to_text(submission))

    def keep_room(self, tasks: int = 1, longest: int = 0) -> None:
        """Keep some of the disk for what must be written when it is full: which tasks were accepted.

        `tasks` are those that a run submits at a time, `longest` the bytes of the longest request.
        """
        size = max(_RESERVE_BYTES, tasks * (_BYTES_OF_A_TASK + 2 * longest))
        with contextlib.suppress(OSError):
            if stat_regular_file(self._reserve).st_size >= size:
                return
        atomic_write(self._reserve, os.urandom(size))  # nothing that a file system keeps in less room

    def _give_room(self) -> bool:
        try:
            self._reserve.unlink()
        except OSError:
            return False
        return True

    @property
    def _reserve(self) -> Path:
        return Path(self._cache.directory) / RESERVE

    def note(self, submission: Submission) -> None:
        """Write a submission in place of the one there is, when it costs nothing if a loss of power undoes that."""
        with self._usable(_NORMAL):
            self._cache.set(submission.digest, _to_text(submission))

    def replace(self, known: Submission, submission: Submission) -> bool:
        """Write a submission in place of this very one; whether it was still there."""
        with self._durably(), self._cache.transact():
            if _from_row(known.digest, self._cache.get(known.digest)) != known:
                return False
            self._cache.set(submission.digest, _to_text(submission))
        self._require_present()
        return True

    def _require_present(self) -> None:
        """Raise `ConfigurationError` when what was written just now is not where other runs read it."""
        if self._identify() != self._identity:
            raise ConfigurationError(
                f"the journal '{self._cache.directory}' was deleted or replaced while this run used it; nothing more "
                "is submitted. Keep 'git clean' and the like away from it, and build again"
            )

    def _identify(self) -> tuple[int, int] | None:
        """The database's file, as far as the file system tells; None if it is not there."""
        try:
            found = Path(self._cache.directory, DATABASE).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def forget(self, submission: Submission) -> None:
        """Remove a submission, but not a later one for the same picture; a loss of power may bring it back."""
        with self._usable(_NORMAL), self._cache.transact():
            known = _from_row(submission.digest, self._cache.get(submission.digest))
            if known is None or (known.idempotency_key, known.run) == (submission.idempotency_key, submission.run):
                self._cache.delete(submission.digest)

    def read(self, digest: Digest) -> Submission | None:
        """Return the submission of one picture."""
        with self._usable(_NORMAL):
            return _from_row(digest, self._cache.get(digest))

    def submissions(self) -> dict[Digest, Submission]:
        """Return all submissions by digest.

        A row that is not named by a digest is passed over. One that is, but cannot be read, is a submit with
        an unknown outcome.
        """
        with self._usable(_NORMAL):
            read = (_from_row(digest, self._cache.get(digest)) for digest in list(self._cache))
            return {submission.digest: submission for submission in read if submission is not None}

    @contextlib.contextmanager
    def exclusively(self) -> Iterator[None]:
        """Keep other processes from changing the journal while the context lasts."""
        with self._usable(_NORMAL), self._cache.transact():
            yield

    def _durably(self) -> contextlib.AbstractContextManager[None]:
        return self._usable(_FULL)

    @contextlib.contextmanager
    def _usable(self, synchronous: int) -> Iterator[None]:
        try:
            self._cache.reset("sqlite_synchronous", synchronous, update=False)
            yield
        except (OSError, sqlite3.Error, diskcache.Timeout, MemoryError) as error:
            raise ConfigurationError(f"the journal '{self._cache.directory}' cannot be used ({_why(error)})") from error


def _why(error: Exception) -> str:
    """What a database says of its failure; one that waited in vain for its lock says nothing."""
    return _lack_of(error) or str(error) or "another program has locked it"


def _lack_of(error: Exception) -> str:
    """What this process lacked; SQLite only says that it cannot open a file, or that reading it failed."""
    return lack_of(error) or (lack_of_files() if isinstance(error, sqlite3.Error) else "")


def _to_text(submission: Submission) -> str:
    return json.dumps({**asdict(submission), "stage": submission.stage.value})


def _from_row(digest: Digest, text: Any) -> Submission | None:
    """Read a row; None where there is none, or its name is no digest."""
    if text is None or not is_digest(digest):
        return None
    submission = _from_text(text)
    if submission is None or submission.digest != digest:
        return Submission(Digest(digest), Stage.UNKNOWN, "", "", 0.0, reason="its row in the journal cannot be read")
    return submission


def _from_text(text: Any) -> Submission | None:
    """Read a row's text, fields that a later version has added left out; None for one that is not ours."""
    try:
        record = {name: value for name, value in json.loads(text).items() if name in _FIELDS}
        submission = Submission(**{**record, "digest": Digest(record["digest"]), "stage": Stage(record["stage"])})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    texts = (
        submission.digest,
        submission.base_url,
        submission.idempotency_key,
        submission.where,
        submission.reason,
        submission.run,
        submission.answer,
    )
    targets = (submission.task_id, submission.link)
    is_ours = (
        all(isinstance(text, str) for text in texts)
        and all(target is None or isinstance(target, str) for target in targets)
        and type(submission.submitted_at) in (int, float)
        and 0 <= submission.submitted_at <= _LAST_SECOND
        and isinstance(submission.request, dict)
        and isinstance(submission.is_key_spent, bool)
    )
    return submission if is_ours else None


@contextlib.contextmanager
def open_journal(folder: Path, tasks: int = 1, longest: int = 0) -> Iterator[Journal]:
    """Open the journal below a folder for a run, which is alive for as long; raise `ConfigurationError`.

    The disk must have room for so many tasks at a time, as in `Journal.keep_room`.
    """
    with contextlib.ExitStack() as stack:
        with _translated(folder):
            claim_folder(folder)
            run = stack.enter_context(hold_lease(folder))  # first: it finds out whether there are locks
            database = stack.enter_context(_database(folder))
            opened = Journal(database, run)
            opened.keep_room(tasks, longest)
        yield opened


@contextlib.contextmanager
def connect(folder: Path) -> Iterator[Journal]:
    """Open the journal below a folder without a run; raise `ConfigurationError`."""
    with contextlib.ExitStack() as stack:
        with _translated(folder):
            database = stack.enter_context(_database(folder))
        yield Journal(database, "")


def read_submissions(folder: Path) -> dict[Digest, Submission]:
    """Return what the journal below a folder holds, and change nothing; empty where there is none; raise as above."""
    path = folder / FOLDER / DATABASE
    with _translated(folder):
        try:
            stat_regular_file(path)
        except FileNotFoundError:
            return {}
        _require_plain_database(path)
        rows = read_rows(path, _LOCK_SECONDS)
    read = (_from_row(Digest(key), text) for key, text in rows)
    return {submission.digest: submission for submission in read if submission is not None}


@contextlib.contextmanager
def _database(folder: Path) -> Iterator[Any]:
    inner = make_subfolder(folder, FOLDER)
    if os.path.expandvars(inner) != os.fspath(inner):  # diskcache puts the values in, of which one may be a key
        raise ConfigurationError(f"the journal '{inner}': the path names a variable; choose one without '$' and '%'")
    _require_plain_database(inner / DATABASE)
    _check(inner / DATABASE)
    database = _Database(os.fspath(inner))
    try:
        yield database
    finally:
        database.close()


def _require_plain_database(path: Path) -> None:
    """Raise `IrregularFileError` for a link or the like in place of a file that SQLite opens."""
    require_plain_files(path.with_name(f"{path.name}{ending}") for ending in ("", "-wal", "-shm", "-journal"))


def _check(path: Path) -> None:
    """Raise `ConfigurationError` for a database with anything in it that diskcache did not make.

    Raises `sqlite3.Error` for one that another process does not let go of: diskcache waits for minutes.
    """
    if path.exists():
        with contextlib.closing(sqlite3.connect(path, timeout=_LOCK_SECONDS, isolation_level=None)) as connection:
            require_plain_tables(connection)
            require_library_schema(connection, path, _Database)
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")


@contextlib.contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error, diskcache.Timeout, MemoryError) as error:
        lack = _lack_of(error)
        if lack:
            what = f"the journal '{folder / FOLDER}' cannot be opened, nothing was submitted"
            raise resource_error(what, lack) from error
        raise ConfigurationError(
            f"the journal '{folder / FOLDER}' cannot be opened ({_why(error)}); {_ADVICE}"
        ) from error


class _Database(diskcache.Cache):  # type: ignore[misc] # diskcache ships no types
    """The database of a journal; when it cannot be opened, its connection is closed."""

    def __init__(self, folder: str) -> None:
        try:
            super().__init__(folder, disk=_TextDisk, eviction_policy="none", timeout=_LOCK_SECONDS)
        except BaseException:
            if hasattr(self, "_local"):
                self.close()
            raise


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
