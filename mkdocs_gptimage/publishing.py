"""Stored pictures → files that the site can take, without a way back into the store.

Linking is thirty times faster than copying, but a neighbour that edits the built site in place would edit what is
linked. So the site gets links to copies in the cache, never to the store. The bytes are compared with the record
whenever a copy is made, and a copy is never made of a link, or of anything but a file.

What a warm build trusts: a copy whose name repeats what the record says now, whose size is the record's, and whose
modification time is the stored file's time of change. Whoever writes, replaces or dates a stored file moves that; a
neighbour that edits the copy moves the other. Rot that no file system notices moves neither, and the site gets the
copy, which was verified before it: to find such rot takes `gptimage check`, which reads every byte.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache_folder, comparing, regular
from .spec import SHORT_DIGEST
from .store import Damage, damaged

if TYPE_CHECKING:
    from .spec import ImageSpec
    from .store import Entry

ORIGINALS = "originals"
PLACEHOLDERS = "placeholders"


def original(entry: Entry, cache: Path) -> Path | Damage:
    """Return the cache's verified copy of a stored picture, or what is wrong with the stored one."""
    try:
        changed = _changed(regular.status(entry.path))
    except OSError as error:
        return damaged(entry.digest, entry.path, error)
    copy = cache / ORIGINALS / _name(entry)
    with contextlib.suppress(OSError):  # what is no file is replaced, where that is possible
        known = regular.status(copy)
        if (known.st_size, known.st_mtime_ns) == (entry.image.bytes, changed):
            return copy
    cache_folder.prepare(cache)
    copy.parent.mkdir(exist_ok=True)
    parts = cache / cache_folder.PARTS
    parts.mkdir(exist_ok=True)
    return _copy(entry, copy, parts / f"{copy.name}.{secrets.token_hex(4)}", changed)


def _name(entry: Entry) -> str:
    """A name that changes with all that the record says of the bytes."""
    image = entry.image
    return f"{entry.digest[:SHORT_DIGEST]}-{image.sha256}-{image.width}x{image.height}.{image.format}"


def _changed(status: os.stat_result) -> int:
    """Nanoseconds of a file's last change, its content's or its times'; Windows knows the content's only."""
    return status.st_ctime_ns if os.name == "posix" else status.st_mtime_ns


def _copy(entry: Entry, copy: Path, part: Path, changed: int) -> Path | Damage:
    try:
        found = _copy_bytes(entry, part)
        if isinstance(found, Damage):
            return found
        reason = comparing.compare(entry.image, entry.path.name, found, part)
        if reason:
            return Damage(entry.digest, reason, path=entry.path)
        os.utime(part, ns=(changed, changed))
        part.replace(copy)
        return copy
    finally:
        part.unlink(missing_ok=True)


def _copy_bytes(entry: Entry, part: Path) -> str | Damage:
    """Copy a stored file; return the SHA-256 of what was copied. An `OSError` is about the copy."""
    hasher = hashlib.sha256()
    chunks = regular.chunks(entry.path)
    with part.open("xb") as file:
        while True:
            try:
                chunk = next(chunks, b"")
            except OSError as error:
                return damaged(entry.digest, entry.path, error)
            if not chunk:
                return hasher.hexdigest()
            hasher.update(chunk)
            file.write(chunk)


def placeholder(spec: ImageSpec, note: str, cache: Path) -> Path:
    """Return the file of a picture's card, drawn again only when it changed."""
    from . import placeholder as cards  # noqa: PLC0415 - only when something is missing

    cache_folder.prepare(cache)
    path = cache / PLACEHOLDERS / f"{spec.stem}.svg"
    drawn = cards.card(spec, note)
    with contextlib.suppress(OSError):
        if path.read_text(encoding="utf-8") == drawn:
            return path
    path.parent.mkdir(exist_ok=True)
    cache_folder.replace_with(path, drawn)  # an earlier site may be linked to the old one
    return path


def place(source: str, target: str) -> None:
    """Put a file of the cache into the site: a hard link, or a copy where there cannot be one; both are paths."""
    with contextlib.suppress(OSError):
        os.link(source, target)
        return
    # It may be linked to something, so it must not be written to.
    file = Path(target)
    file.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        try:
            shutil.copyfile(source, target)
        except OSError:
            file.unlink(missing_ok=True)
            raise
