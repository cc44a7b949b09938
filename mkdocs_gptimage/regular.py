"""Regular files, and nothing that only looks like one: a pipe would hold up a build, a link may lead anywhere."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Where the system has them: opening a pipe does not wait for its other end, and a link is not followed.
_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY"))
_CHUNK = 1024 * 1024
_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)


class IrregularFileError(OSError):
    """There is something, but it is not a regular file; its text says what it is."""


def status(path: Path | str) -> os.stat_result:
    """Return the status of a regular file; raise `IrregularFileError` or another `OSError`."""
    found = os.lstat(path)
    _require_regular(found)
    return found


def read(path: Path | str, most: int) -> bytes:
    """Return the content of a regular file, but no more than `most` bytes and one; raise as above."""
    return b"".join(chunks(path, most + 1))


def chunks(path: Path | str, most: int | None = None) -> Iterator[bytes]:
    """Give the content of a regular file in bounded memory, up to `most` bytes; raise as above."""
    handle = _open(path)
    try:
        left = most
        while left is None or left > 0:
            chunk = os.read(handle, _CHUNK if left is None else min(left, _CHUNK))
            if not chunk:
                return
            left = None if left is None else left - len(chunk)
            yield chunk
    finally:
        os.close(handle)


def _open(path: Path | str) -> int:
    try:
        handle = os.open(path, _FLAGS)
    except OSError:
        status(path)  # a link, a socket or a folder says more than why it cannot be opened
        raise
    try:
        _require_regular(os.fstat(handle))
    except OSError:
        os.close(handle)
        raise
    return handle


def _require_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = next((kind for is_kind, kind in _KINDS if is_kind(found.st_mode)), "a device")
        raise IrregularFileError(f"is {kind}, expected a file")
