"""Stored pictures → files that the site can take, without a way back into the store.

Linking is thirty times faster than copying, but a neighbour that edits the built site in place would edit what is
linked. So the site gets links to copies in the cache, never to the store. A copy carries the modification time of the
stored file; one whose time or size has changed, by such a neighbour for example, is made anew. The bytes are verified
against the record whenever a copy is made.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache_folder
from .store import Damage

if TYPE_CHECKING:
    from .spec import ImageSpec
    from .store import Entry

ORIGINALS = "originals"
PLACEHOLDERS = "placeholders"

_CHUNK = 1024 * 1024


def original(entry: Entry, cache: Path) -> Path | Damage:
    """Return the cache's verified copy of a stored picture, or what is wrong with the stored one."""
    copy = cache / ORIGINALS / entry.path.name
    try:
        stored = entry.path.stat()
    except OSError as error:
        return Damage(entry.digest, f"{entry.path.name} cannot be read ({error.strerror})")
    with contextlib.suppress(FileNotFoundError):
        known = copy.stat()
        if (known.st_size, known.st_mtime_ns) == (stored.st_size, stored.st_mtime_ns):
            return copy
    cache_folder.prepare(cache)
    copy.parent.mkdir(exist_ok=True)
    part = copy.with_name(f"{copy.name}.{secrets.token_hex(4)}.part")
    if _copy(entry.path, part) != entry.image.sha256:
        part.unlink()
        return Damage(entry.digest, f"the bytes of {entry.path.name} are not those of its record")
    os.utime(part, ns=(stored.st_atime_ns, stored.st_mtime_ns))
    part.replace(copy)
    return copy


def _copy(source: Path, target: Path) -> str:
    """Copy a file; return the SHA-256 of what was copied."""
    hasher = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as write:
        while chunk := read.read(_CHUNK):
            hasher.update(chunk)
            write.write(chunk)
    return hasher.hexdigest()


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
    path.unlink(missing_ok=True)  # an earlier site may be linked to it
    path.write_text(drawn, encoding="utf-8")
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
        shutil.copyfile(source, target)
