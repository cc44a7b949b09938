"""Files that are whole or not there: written beside their target, flushed to the disk, then moved in one step."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1024 * 1024
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_beside(target: Path, content: bytes | Path) -> Path:
    """Write a copy of `content` to a hidden file beside the target and flush it; leave nothing on failure."""
    part = _part(target)
    try:
        # Not `mkstemp`: what other files get, by the user's umask, is right for a file that is meant to be committed.
        with os.fdopen(os.open(part, _NEW_FILE, 0o666), "wb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                with content.open("rb") as source:
                    shutil.copyfileobj(source, file, _CHUNK)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part


def move_beside(target: Path, source: Path) -> Path:
    """Move a file to a hidden name beside the target and flush it; across file systems by a copy."""
    part = _part(target)
    with source.open("rb+") as file:
        os.fsync(file.fileno())
    try:
        source.rename(part)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        part = write_beside(target, source)
        source.unlink()
    return part


def flush_names(folder: Path) -> None:
    """Make the moves in a folder survive a loss of power, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def try_room(folder: Path, count: int) -> None:
    """Write `count` bytes that nobody sees into a folder; raise `OSError` where they do not fit."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(count))
        file.flush()
        os.fsync(file.fileno())


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name[:12]}{secrets.token_hex(8)}.part")
