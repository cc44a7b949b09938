"""The cache folder: never committed, and deleting it loses no picture that is in the store."""

from __future__ import annotations

import contextlib
import secrets
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PARTS = "parts"
"""The folder of files that are not finished."""

_ABANDONED_SECONDS = 3600  # no download takes that long
_IGNORE_ALL = "*\n"
# The journal names prompts and links: it is for the user and the user's group, and for less where the umask says so.
_MODE = 0o770


def prepare(cache: Path) -> None:
    """Create the cache folder, with a `.gitignore` that keeps it out of commits."""
    ignore = cache / ".gitignore"
    # An empty one is what a full disk has left.
    with contextlib.suppress(FileNotFoundError):
        if ignore.stat().st_size:
            return
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.mkdir(mode=_MODE, exist_ok=True)
    replace_with(ignore, _IGNORE_ALL)


def sweep(cache: Path) -> None:
    """Remove unfinished files that runs which were killed have left."""
    with contextlib.suppress(FileNotFoundError):  # no cache yet, or another run was faster
        for part in (cache / PARTS).iterdir():
            if time.time() - part.stat().st_mtime > _ABANDONED_SECONDS:
                part.unlink()


def replace_with(path: Path, text: str) -> None:
    """Write a small file of the cache whole, or leave what was there; nothing that is linked to it changes."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
