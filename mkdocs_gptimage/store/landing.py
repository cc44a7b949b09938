"""Writes a picture and its record into the store: both, or neither."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from mkdocs_gptimage.fs import IrregularFileError, link_beside, move_beside, sync_folder, write_beside
from mkdocs_gptimage.store.record import FORMATS

if TYPE_CHECKING:
    from pathlib import Path


def make_shard(shard: Path) -> None:
    """Create a folder of the store unless it is there; raise `OSError` for a symbolic link in its place."""
    shard.mkdir(parents=True, exist_ok=True)
    require_shard(shard)


def require_shard(shard: Path) -> None:
    """Raise `IrregularFileError` for a symbolic link in place of a folder of the store."""
    if shard.is_symlink():
        raise IrregularFileError(f"{shard.name} is a symbolic link, expected a folder")


def land_pair(path: Path, part: Path, record: bytes) -> None:
    """Move the finished file `part` to `path` and write its record beside it; raise `OSError`, and undo, on failure.

    What may fail on a full disk comes first, then the moves to the final names, the record's last: a record exists
    only beside a complete picture. A picture that is replaced is kept under another name until the record is there.
    """
    target = path.with_suffix(".json")
    make_shard(path.parent)
    with contextlib.ExitStack() as done, contextlib.ExitStack() as undo:
        written = write_beside(target, record)
        undo.callback(written.unlink, missing_ok=True)
        moved = move_beside(path, part)
        undo.callback(moved.unlink, missing_ok=True)
        former = link_beside(path) if os.path.lexists(path) else None
        if former is not None:
            done.callback(former.unlink, missing_ok=True)
        moved.replace(path)
        undo.callback(_put_back, path, former)
        written.replace(target)
        undo.pop_all()
    # The record no longer describes a picture of another format; what cannot be deleted is reported as a duplicate.
    with contextlib.suppress(OSError):
        for other in set(FORMATS) - {path.suffix[1:]}:
            path.with_suffix(f".{other}").unlink(missing_ok=True)
    sync_folder(path.parent)


def _put_back(path: Path, former: Path | None) -> None:
    """Undo the move to `path`."""
    if former is None:
        path.unlink(missing_ok=True)
    else:
        former.replace(path)
