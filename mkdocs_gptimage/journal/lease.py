"""Leases: each run holds a lock of the operating system, so that other runs can tell whether it is alive.

The kernel gives the lock back at any end of a process, `kill -9` and loss of power included. No run has to guess from
an age, or from a process id, which is reused, and means nothing in another container that shares the folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import time
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.fs import stat_regular_file
from mkdocs_gptimage.owned_folder import make_subfolder, own_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


FOLDER = "runs"
# A name comes from a row of the journal, which anybody may have planted: it is never a path.
_NAME = re.compile(r"(?P<process>[0-9]{1,10})-[0-9a-f]{16}")
_LOCK = re.compile(rf"{_NAME.pattern}\.lock")
_ABANDONED_SECONDS = 3600
_WITHOUT_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


@contextlib.contextmanager
def hold_lease(home: Path) -> Iterator[str]:
    """Hold a lease below the journal's folder while the context lasts, and give its name.

    Raises `OSError`, and `ConfigurationError` where the file system has no locks.
    """
    import filelock  # noqa: PLC0415 - only when something is missing

    folder = make_subfolder(home, FOLDER)
    _sweep(folder)
    name = f"{os.getpid()}-{secrets.token_hex(8)}"
    path = folder / f"{name}.lock"
    try:
        _require_locks(path)
        with filelock.FileLock(path):
            yield name
    finally:
        path.unlink(missing_ok=True)


def is_held(home: Path, name: str) -> bool:
    """Whether the run with this lease is alive."""
    path = home / FOLDER / f"{name}.lock"
    return bool(_NAME.fullmatch(name)) and _is_lock(path) and not _is_free(path)


def held_leases(home: Path) -> list[str]:
    """Return the names of the runs below a folder that are alive."""
    return [path.stem for path in own_files(home / FOLDER, _LOCK) if is_held(home, path.stem)]


def remove_leases(home: Path) -> None:
    """Delete the files of runs that have ended, and their folder if it holds nothing else; raise `OSError`."""
    for path in own_files(home / FOLDER, _LOCK):
        if _is_lock(path) and _is_free(path):
            path.unlink(missing_ok=True)
    (home / FOLDER).rmdir()


def process_of(name: str) -> str:
    """Return the process id in a lease's name, for messages; empty for a name that is none."""
    found = _NAME.fullmatch(name)
    return found["process"] if found else ""


def _require_locks(path: Path) -> None:
    """Raise `ConfigurationError` if the file system of a new file has no locks, of either kind.

    Without them, filelock would wait for ever, or go on with a mark that outlives a killed run.
    """
    try:
        import fcntl  # noqa: PLC0415 - Windows has none, and always has locks
    except ImportError:
        return
    with path.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(file, fcntl.LOCK_UN)  # over NFS, one kind excludes the other
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # what SQLite uses
        except BlockingIOError:  # another run just looks whether this one is alive
            return
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                raise
            raise ConfigurationError(
                f"'{path.parent}' lies on a file system without locks ({error.strerror}), by which builds at the same "
                "time keep from paying twice; nothing was submitted. Put the folder on a local disk, or mount its "
                "file system with locks"
            ) from None


def _is_lock(path: Path) -> bool:
    """Whether a file is there; a link is not: the file behind it would be emptied when it is opened as a lock."""
    with contextlib.suppress(OSError):
        return bool(stat_regular_file(path))
    return False


def _is_free(path: Path) -> bool:
    import filelock  # noqa: PLC0415 - as above

    try:
        with filelock.FileLock(path, blocking=False):
            return True
    except filelock.Timeout:
        return False
    except (OSError, NotImplementedError):  # unknown: waiting is safer than taking over
        return False


def _sweep(folder: Path) -> None:
    """Remove the files of runs that were killed."""
    for path in own_files(folder, _LOCK):
        with contextlib.suppress(OSError):  # another run was faster
            if time.time() - path.lstat().st_mtime > _ABANDONED_SECONDS and _is_lock(path) and _is_free(path):
                path.unlink()
