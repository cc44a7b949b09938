"""Files: atomic writes, the removal of unfinished files, and reads of regular files only.

A file is written under a temporary name, flushed where it must survive a loss of power, and moved to its final name.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


PART = re.compile(r"\..{1,12}[0-9a-f]{16}\.part")
"""The name of a file that is being written, beside its target."""
_CHUNK = 1024 * 1024
_ABANDONED_SECONDS = 3600
"""The age from which an unfinished file belongs to a killed run: no download takes that long."""
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
# Where available: do not block on opening a pipe, do not follow a symbolic link.
_READ_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY"))
_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)


class IrregularFileError(OSError):
    """The path is not a regular file; the message says what it is."""


def atomic_write(
    path: Path, data: bytes | Iterable[bytes], *, staging: Path | None = None, mode: int = 0o666
) -> os.stat_result:
    """Replace a file as a whole, or leave it as it was; hard links to the old file keep the old content.

    Returns the status of the new file. It may not survive a loss of power. `staging` is the folder for the unfinished
    file, on the same file system; by default that of `path`. `mode` is that of the file, less the umask. Raises
    `OSError`.
    """
    part = write_beside((staging or path.parent) / path.name, data, durable=False, mode=mode)
    try:
        status = part.stat()
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return status


def write_beside(
    target: Path, content: bytes | Path | Iterable[bytes], *, durable: bool = True, mode: int = 0o666
) -> Path:
    """Write bytes, pieces of bytes, or a copy of a file, to a hidden file beside the target; return its path.

    On failure nothing is left behind. Raises `OSError`.
    """
    part = _hidden_name(target)
    try:
        # Not `mkstemp`: committed files need the permissions that the umask gives to other files.
        with os.fdopen(os.open(part, _WRITE_FLAGS, mode), "wb") as file:
            if isinstance(content, bytes):
                file.write(content)
            elif isinstance(content, Path):
                with content.open("rb") as source:
                    shutil.copyfileobj(source, file, _CHUNK)
            else:
                file.writelines(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part


def move_beside(target: Path, source: Path) -> Path:
    """Flush a file and move it to a hidden name beside the target, by a copy across file systems; return its path."""
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


def link_beside(path: Path) -> Path:
    """Give a file a second, hidden name beside it, or a copy where there are no hard links; return that path."""
    part = _hidden_name(path)
    try:
        os.link(path, part, follow_symlinks=False)
    except (OSError, NotImplementedError):
        return write_beside(path, path, durable=False)
    return part


def remove_file(path: Path) -> None:
    """Delete a file, if it is there, by way of a hidden name beside it, which a sweep finds if this is cut off."""
    part = _hidden_name(path)
    with contextlib.suppress(FileNotFoundError):
        path.rename(part)
        part.unlink()


def sync_folder(folder: Path) -> None:
    """Make the moves in a folder survive a loss of power, where the system supports it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def check_room(folder: Path, count: int) -> None:
    """Write `count` bytes to a temporary file in a folder; raise `OSError` if they do not fit."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(count))
        file.flush()
        os.fsync(file.fileno())


def _hidden_name(target: Path) -> Path:
    return target.with_name(f".{target.name[:12]}{secrets.token_hex(8)}.part")


def sweep_unfinished(parts: Iterable[Path]) -> None:
    """Delete unfinished files older than an hour, left by killed runs."""
    for part in parts:
        with contextlib.suppress(FileNotFoundError):  # another run was faster
            if time.time() - part.lstat().st_mtime > _ABANDONED_SECONDS:
                part.unlink()


def stat_regular_file(path: Path | str) -> os.stat_result:
    """Return the status of a regular file; raise `IrregularFileError` or another `OSError`."""
    found = os.lstat(path)
    _require_regular(found)
    return found


def read_regular_file(path: Path | str, limit: int) -> bytes:
    """Return the content of a regular file; raise as `stat_regular_file`.

    Of a larger file than `limit` bytes, returns the first `limit + 1`, so that the caller can tell.
    """
    return b"".join(read_chunks(path, limit + 1))


def read_chunks(path: Path | str, limit: int | None = None) -> Iterator[bytes]:
    """Yield the content of a regular file in chunks, at most `limit` bytes; raise as `stat_regular_file`."""
    handle = _open_regular(path)
    try:
        left = limit
        while left is None or left > 0:
            chunk = os.read(handle, _CHUNK if left is None else min(left, _CHUNK))
            if not chunk:
                return
            left = None if left is None else left - len(chunk)
            yield chunk
    finally:
        os.close(handle)


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a regular file in hex, in bounded memory; raise as `stat_regular_file`."""
    hasher = hashlib.sha256()
    for chunk in read_chunks(path):
        hasher.update(chunk)
    return hasher.hexdigest()


def _open_regular(path: Path | str) -> int:
    try:
        handle = os.open(path, _READ_FLAGS)
    except OSError:
        stat_regular_file(path)  # names the kind of file, which says more than why it cannot be opened
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


def existing_spelling(path: Path) -> Path:
    """Return a path as it is spelt on the disk, where that is another Unicode form, or decodes `%20` and the like.

    A path that is there, or that nothing there is meant by, is returned as it is.
    """
    try:
        if os.path.lexists(path):
            return path
        found = Path(path.anchor)
        for part in path.parts[1:] if path.anchor else path.parts:
            name = part if os.path.lexists(found / part) else _name_meant(part, found)
            if name is None:
                return path
            found /= name
    except (OSError, ValueError):
        return path
    return found


def _name_meant(name: str, folder: Path) -> str | None:
    """The name in a folder that another spelling of it means; None without one."""
    meant = {unicodedata.normalize("NFC", each) for each in (name, unquote(name))}
    return next((each for each in sorted(os.listdir(folder)) if unicodedata.normalize("NFC", each) in meant), None)  # noqa: PTH208
