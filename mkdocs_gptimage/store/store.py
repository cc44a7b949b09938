"""The store: a folder, meant to be committed, that keeps each picture under the digest of its request.

A picture is a pair of files, `3f/3f9ac2d1….png` and `3f/3f9ac2d1….json`: the bytes as the service sent them, and a
record. There is no index, so branches that add pictures merge. An entry exists when both files do and agree. A pair
that is incomplete, misplaced, duplicated or inconsistent is damage: it is reported, never published, and never paid
for again without consent. A symbolic link is damage too, because the picture itself must be committed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.fs import check_room, read_regular_file, remove_file, sweep_unfinished
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.store.conflict import commands_for
from mkdocs_gptimage.store.entry import Damage, DamageKind, Entry
from mkdocs_gptimage.store.interrupted import CandidateIndex
from mkdocs_gptimage.store.landing import land_pair, require_shard
from mkdocs_gptimage.store.layout import (
    entry_name,
    entry_path,
    is_in_place,
    linked_shard,
    part_files,
    picture_files,
    shard_folders,
)
from mkdocs_gptimage.store.lookup import Lookup
from mkdocs_gptimage.store.record import FORMATS, MAX_RECORD_BYTES, RecordError, decode_request, encode_record
from mkdocs_gptimage.store.verify import read_verified

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.store.record import ImageFacts, Provenance


_ROOM_BYTES = 1024 * 1024
"""About the size of a picture of the smallest resolution."""


class Store:
    """The pictures below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lookup = Lookup(root)
        self._candidates = CandidateIndex(root)

    def get(self, digest: Digest) -> Entry | Damage | None:
        """Return the picture, its damage, or None if it is not stored; checks the record and the size of the file.

        Raises `ResourceError`, as all that reads here, when this process lacks memory or may not open more files.
        """
        found = self._lookup.get(digest)
        return self._with_advice(found) if isinstance(found, Damage) else found

    def entry(self, digest: Digest) -> Entry | None:
        """Return the picture; None if it is missing or damaged."""
        found = self._lookup.get(digest)
        return found if isinstance(found, Entry) else None

    def ending(self, digest: Digest) -> str | None:
        """Return the extension of a picture's file; None without one. Checks the name only."""
        return next((each for each in FORMATS if os.path.exists(entry_name(self.root, digest, each))), None)  # noqa: PTH110 - called for every picture of a site

    def request(self, digest: Digest) -> dict[str, Any] | None:
        """Return the canonical form of a stored picture's request; None without a valid record."""
        try:
            return decode_request(read_regular_file(entry_name(self.root, digest, "json"), MAX_RECORD_BYTES), digest)
        except (OSError, RecordError) as error:
            raise_if_lacking(error, f"the record of {digest.short} cannot be read")
            return None

    def digests(self) -> list[Digest]:
        """Return the sorted digests of all files in their place, those of damaged pictures included."""
        found = picture_files(self.root)
        return sorted({digest for path, digest in found if is_in_place(path, digest, self.root)})

    def verify(self, digest: Digest) -> Entry | Damage | None:
        """As `get`, but also compare the bytes with the record."""
        found = self.get(digest)
        return self.compare(found) if isinstance(found, Entry) else found

    def compare(self, entry: Entry) -> Entry | Damage | None:
        """Compare the bytes of a picture with its record; thread-safe.

        Both are read once more before they are called damaged: another process may have replaced them meanwhile.
        """
        found: Entry | Damage | None = _compared(entry)
        if isinstance(found, Damage):
            now = Store(self.root).get(entry.digest)  # a lookup of its own, as the listings of another are not shared
            found = _compared(now) if isinstance(now, Entry) else now
        return self._with_advice(found) if isinstance(found, Damage) else found

    def _with_advice(self, damage: Damage) -> Damage:
        """Say what completes a replacement that was cut off, and what ends a conflict; thread-safe."""
        if damage.kind is DamageKind.CONFLICT and damage.path is not None:
            return dataclasses.replace(damage, advice=commands_for(damage.path))
        if damage.kind not in (DamageKind.MISMATCH, DamageKind.INCOMPLETE, DamageKind.DUPLICATE):
            return damage
        candidate = self._candidates.taken_by_half(damage.digest)
        if candidate is None:
            return damage
        command = f"gptimage regenerate --accept {candidate.short}"
        advice = f"A run that replaced it by its candidate {candidate.short} was cut off; '{command}' completes that"
        return dataclasses.replace(damage, advice=advice)

    def put(self, request: Mapping[str, Any], digest: Digest, part: Path, image: ImageFacts, made: Provenance) -> Entry:
        """Move the finished file `part` into the store, then its record; both, or on failure (`OSError`) neither."""
        path = entry_path(self.root, digest, image.format)
        try:
            land_pair(path, part, encode_record(request, image, made))
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror or error}, in the store '{self.root}'") from error
        self._forget(digest)
        return Entry(digest, path, image, made)

    def remove(self, digest: Digest) -> None:
        """Delete all files of a picture; raise `ConfigurationError` if that fails."""
        try:
            require_shard(entry_path(self.root, digest, "").parent)
            # First, the picture gets a name by which a sweep knows it as ours: an image without a record is anybody's.
            for ending in FORMATS:
                remove_file(entry_path(self.root, digest, ending))
            entry_path(self.root, digest, "json").unlink(missing_ok=True)
        except OSError as error:
            raise ConfigurationError(f"'{self.root}': cannot delete {digest}: {error.strerror or error}") from error
        with contextlib.suppress(OSError):  # it holds other pictures, or is gone
            entry_path(self.root, digest, "").parent.rmdir()
        self._forget(digest)

    def _forget(self, digest: Digest) -> None:
        self._lookup.forget(digest)
        self._candidates.forget()

    def check_writable(self) -> None:
        """Raise `ConfigurationError` unless files can be written here; called before anything is paid."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            check_room(self.root, _ROOM_BYTES)
            sweep_unfinished(part_files(self.root))
        except OSError as error:
            raise_if_lacking(error, f"the store '{self.root}' cannot be written to, nothing was submitted")
            raise ConfigurationError(
                f"the store '{self.root}' cannot be written to: {error.strerror or error}; nothing was submitted"
            ) from error
        link = linked_shard(self.root)
        if link is not None:
            raise ConfigurationError(
                f"the store's folder '{link}' is a symbolic link, which is not followed; put a folder with its "
                "pictures in its place; nothing was submitted"
            )
        locked = next((each for each in shard_folders(self.root) if not os.access(each, os.W_OK | os.X_OK)), None)
        if locked is not None:
            raise ConfigurationError(
                f"the store's folder '{locked}' cannot be written to; change its permissions; nothing was submitted"
            )


def _compared(entry: Entry) -> Entry | Damage:
    found = read_verified(entry)
    return found if isinstance(found, Damage) else entry
