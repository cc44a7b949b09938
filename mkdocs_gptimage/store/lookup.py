"""Looks up a picture by its digest, and diagnoses incomplete, misplaced and mismatched files."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ImageLimitError
from mkdocs_gptimage.fs import read_regular_file, stat_regular_file
from mkdocs_gptimage.imagefile.sniff import LFS_POINTER
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.store.entry import Damage, DamageKind, Entry, damage_of, lfs_pointer
from mkdocs_gptimage.store.layout import DirectoryIndex, entry_name, entry_path, misplaced_reason
from mkdocs_gptimage.store.record import FORMATS, MAX_RECORD_BYTES, RecordConflictError, RecordError, decode_record
from mkdocs_gptimage.store.verify import damage_of_bytes, require_limits

if TYPE_CHECKING:
    from mkdocs_gptimage.spec.digest import Digest


_MAY_PASS = frozenset({DamageKind.INCOMPLETE, DamageKind.DUPLICATE, DamageKind.RECORD, DamageKind.MISMATCH})
"""What a picture looks like for the moment in which another process replaces or deletes its two files."""
_JUST_CHANGED = 2.0
"""Seconds since a folder changed in which that process may still be at work."""
_PAUSE = 0.05


class Lookup:
    """Reads records and file sizes below one folder; keeps the folders' listings."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._index = DirectoryIndex(root)
        self._linked: dict[str, bool] = {}

    def get(self, digest: Digest) -> Entry | Damage | None:
        """Return the picture, its damage, or None if it is not stored; checks the record and the size of the file.

        A picture is read twice before it is called damaged. Raises `ResourceError`.
        """
        found = self._read(digest)
        if not isinstance(found, Damage) or found.kind not in _MAY_PASS:
            return found
        self._pause(digest)
        self.forget(digest)
        return self._read(digest)

    def _pause(self, digest: Digest) -> None:
        """Give a process that is changing the picture's folder the time to finish."""
        with contextlib.suppress(OSError):
            changed = entry_path(self._root, digest, "").parent.stat().st_mtime
            if abs(time.time() - changed) < _JUST_CHANGED:
                time.sleep(_PAUSE)

    def _read(self, digest: Digest) -> Entry | Damage | None:
        # Called for every picture of a site, so `Path` objects are created only where they are needed.
        if self._is_linked(digest[:2]):
            shard = self._root / digest[:2]
            reason = f"{shard.name} in the store is a symbolic link, expected a folder"
            return Damage(digest, reason, DamageKind.NOT_A_FILE, shard)
        record = entry_name(self._root, digest, "json")
        try:
            data = read_regular_file(record, MAX_RECORD_BYTES)
            if data.startswith(LFS_POINTER):
                return lfs_pointer(digest, Path(record))
            image, made = decode_record(data, digest)
        except (FileNotFoundError, NotADirectoryError):
            return self._without_record(digest)
        except OSError as error:
            return damage_of(digest, Path(record), error)
        except RecordConflictError:
            reason = f"the record {os.path.basename(record)} has the conflict markers of a merge"  # noqa: PTH119 - as above
            return Damage(digest, reason, DamageKind.CONFLICT, Path(record))
        except RecordError as error:
            reason = f"the record {os.path.basename(record)} is not one ({error})"  # noqa: PTH119 - as above
            return Damage(digest, reason, DamageKind.RECORD, Path(record))
        return self._with_record(Entry(digest, entry_path(self._root, digest, image.format), image, made))

    def forget(self, digest: Digest) -> None:
        """List the folder of a picture again: its files have changed."""
        self._index.forget(digest)

    def _is_linked(self, shard: str) -> bool:
        if shard not in self._linked:
            self._linked[shard] = os.path.islink(f"{self._root}{os.sep}{shard}")  # noqa: PTH114 - as above
        return self._linked[shard]

    def _without_record(self, digest: Digest) -> Damage | None:
        """Distinguish a missing picture from a paid one whose record is lost or misplaced."""
        shard = entry_path(self._root, digest, "").parent
        if os.path.lexists(shard) and not shard.is_dir():
            return Damage(digest, f"{shard.name} in the store is not a folder", DamageKind.NOT_A_FILE, shard)
        paths = (entry_path(self._root, digest, ending) for ending in FORMATS)
        unrecorded = next((path for path in paths if os.path.lexists(path)), None)
        if unrecorded is not None:
            return Damage(digest, f"{unrecorded.name} has no record beside it", DamageKind.INCOMPLETE, unrecorded)
        elsewhere = self._index.elsewhere(digest)
        if elsewhere:
            reason = misplaced_reason(elsewhere[0], digest, self._root)
            return Damage(digest, reason, DamageKind.MISPLACED, elsewhere[0])
        return None

    def _with_record(self, entry: Entry) -> Entry | Damage:
        digest, path = entry.digest, entry.path
        try:
            size = stat_regular_file(path).st_size
        except FileNotFoundError:
            names = [name for name in self._index.names(digest) if not name.endswith(".json")]
            beside = f", but {names[0]}" if names else ""
            return Damage(digest, f"the record has no {path.name} beside it{beside}", DamageKind.INCOMPLETE, path)
        except OSError as error:
            return damage_of(digest, path, error)
        if size != entry.image.bytes:
            return _wrong_size(entry, size)
        try:
            require_limits(entry.image)
        except ImageLimitError as error:
            return damage_of_bytes(entry, error)
        others = self._index.others(digest, entry.image.format)
        if others:
            reason = f"{others[0]} lies beside {path.name}, which the record describes; delete {others[0]}"
            return Damage(digest, reason, DamageKind.DUPLICATE, path.with_name(others[0]))
        return entry


def _wrong_size(entry: Entry, size: int) -> Damage:
    try:
        if read_regular_file(entry.path, len(LFS_POINTER)).startswith(LFS_POINTER):
            return lfs_pointer(entry.digest, entry.path)
    except OSError as error:
        raise_if_lacking(error, f"{entry.path.name} in the store cannot be read")
    reason = f"{entry.path.name} has {size} bytes, its record says {entry.image.bytes}"
    return Damage(entry.digest, reason, DamageKind.MISMATCH, entry.path)
