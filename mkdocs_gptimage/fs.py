"""Files: atomic writes, careful reads of regular files only, and the cache folder."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_CHUNK = 1024 * 1024
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
# Where the system has them: opening a pipe does not wait for its other end, and a link is not followed.
_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY"))
_CHUNK = 1024 * 1024
_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)
PARTS = "parts"
"""The folder of files that are not finished."""
_ABANDONED_SECONDS = 3600  # no download takes that long
_IGNORE_ALL = "*\n"
# The journal names prompts and links: it is for the user and the user's group, and for less where the umask says so.
_MODE = 0o770


def write_beside(target: Path, content: bytes | Path) -> Path:
    """Write a copy of `content` to a hidden file beside the target and flush it; leave nothing on failure."""
    part = _hidden_name(target)
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
    part = _hidden_name(target)
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


def sync_folder(folder: Path) -> None:
    """Make the moves in a folder survive a loss of power, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def check_room(folder: Path, count: int) -> None:
    """Write `count` bytes to an unnamed file in a folder; raise `OSError` where they do not fit."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(count))
        file.flush()
        os.fsync(file.fileno())


def _hidden_name(target: Path) -> Path:
    return target.with_name(f".{target.name[:12]}{secrets.token_hex(8)}.part")


class IrregularFileError(OSError):
    """There is something, but it is not a regular file; its text says what it is."""


def stat_regular_file(path: Path | str) -> os.stat_result:
    """Return the status of a regular file; raise `IrregularFileError` or another `OSError`."""
    found = os.lstat(path)
    _require_regular(found)
    return found


def read_regular_file(path: Path | str, most: int) -> bytes:
    """Return the content of a regular file, but no more than `most` bytes and one; raise as above."""
    return b"".join(read_chunks(path, most + 1))


def read_chunks(path: Path | str, most: int | None = None) -> Iterator[bytes]:
    """Give the content of a regular file in bounded memory, up to `most` bytes; raise as above."""
    handle = _open_regular(path)
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


def _open_regular(path: Path | str) -> int:
    try:
        handle = os.open(path, _FLAGS)
    except OSError:
        stat_regular_file(path)  # a link, a socket or a folder says more than why it cannot be opened
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


def prepare_cache(cache: Path) -> None:
    """Create the cache folder, with a `.gitignore` that keeps it out of commits."""
    ignore = cache / ".gitignore"
    # An empty one is what a full disk has left.
    with contextlib.suppress(FileNotFoundError):
        if ignore.stat().st_size:
            return
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.mkdir(mode=_MODE, exist_ok=True)
    write_text(ignore, _IGNORE_ALL)


def sweep_parts(cache: Path) -> None:
    """Remove unfinished files that runs which were killed have left."""
    with contextlib.suppress(FileNotFoundError):  # no cache yet, or another run was faster
        for part in (cache / PARTS).iterdir():
            if time.time() - part.stat().st_mtime > _ABANDONED_SECONDS:
                part.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a small file of the cache whole, or leave what was there; nothing that is linked to it changes."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a regular file, in hex, in bounded memory."""
    hasher = hashlib.sha256()
    for chunk in read_chunks(path):
        hasher.update(chunk)
    return hasher.hexdigest()
