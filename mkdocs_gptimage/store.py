"""The store: a folder, meant to be committed, that keeps every picture under the digest of what it was asked for.

A picture is a pair of files, `3f/3f9ac2d1….png` and `3f/3f9ac2d1….json`: the bytes as the service gave them, and a
record. There is no index, so branches that add pictures merge. An entry exists when both files do and agree; what
exists in part, in the wrong place or twice, or disagrees, is damage: it is named, never published, and never paid for
again without being asked. A symbolic link is damage too: what is committed must be the picture, and not a name of
something on the machine that follows it.
"""

from __future__ import annotations

import contextlib
import enum
import hashlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import comparing, durable, records, regular, shelves
from .errors import ConfigurationError
from .imagetype import LFS_POINTER
from .records import FORMATS, ImageFacts, Made

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["FORMATS", "Damage", "Entry", "ImageFacts", "Kind", "Leftover", "Made", "Store", "damaged", "sha256"]

_ABANDONED_SECONDS = 3600
_ROOM_BYTES = 1024 * 1024
"""A picture of the smallest resolution takes about as much."""
_PART = "is being written, or was left by a run that was killed; delete it when no build runs"


@dataclass(frozen=True)
class Entry:
    """A picture in the store."""

    digest: str
    path: Path
    image: ImageFacts
    made: Made


class Kind(enum.Enum):
    """What sort of damage it is, for programs."""

    INCOMPLETE = "incomplete"
    """One of the two files is missing."""
    MISPLACED = "misplaced"
    """Its files lie in another folder, or are named in capitals."""
    DUPLICATE = "duplicate"
    """There is more than one picture."""
    POINTER = "lfs-pointer"
    """Git LFS has not fetched it."""
    NOT_A_FILE = "not-a-file"
    """A link, a folder, a pipe, a socket or a device."""
    UNREADABLE = "unreadable"
    RECORD = "record"
    """The record is not one, or another picture's."""
    MISMATCH = "mismatch"
    """The bytes are not those that the record describes."""


@dataclass(frozen=True)
class Damage:
    """A picture that the store has in part, or that disagrees with its record."""

    digest: str
    reason: str
    kind: Kind = field(default=Kind.MISMATCH, compare=False)
    path: Path | None = field(default=None, compare=False)
    """The file that is to blame."""

    @property
    def remedy(self) -> str:
        """What to do, where the reason does not say it."""
        if self.kind in (Kind.POINTER, Kind.DUPLICATE):
            return ""
        if self.kind is Kind.MISPLACED:
            return "Move both of its files there"
        return "Restore its files from version control, or delete both of them to have it made anew"


@dataclass(frozen=True)
class Leftover:
    """A file in the store that is no part of any picture."""

    path: Path
    reason: str


class Store:
    """The pictures below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._shelves = shelves.Shelves(root)

    def look(self, digest: str) -> Entry | Damage | None:
        """Find a picture by its record and the size of its file; `verify` also reads the bytes."""
        # Asked for every picture of a site: without the objects of a path until one is needed.
        record = self._name(digest, "json")
        try:
            data = regular.read(record, records.MAX_BYTES)
            if data.startswith(LFS_POINTER):
                return _pointer(digest, Path(record))
            image, made = records.read(data, digest)
        except (FileNotFoundError, NotADirectoryError):
            return self._without_record(digest)
        except OSError as error:
            return damaged(digest, Path(record), error)
        except records.RecordError as error:
            reason = f"the record {os.path.basename(record)} is not one ({error})"  # noqa: PTH119 - as above
            return Damage(digest, reason, Kind.RECORD, Path(record))
        return self._with_record(Entry(digest, self._path(digest, image.format), image, made))

    def ending(self, digest: str) -> str | None:
        """Return how the name of a picture's file ends, which is all that this looks at; None without one."""
        return next((ending for ending in FORMATS if os.path.exists(self._name(digest, ending))), None)  # noqa: PTH110

    def verify(self, digest: str) -> Entry | Damage | None:
        """Find a picture and compare its bytes with the record."""
        entry = self.look(digest)
        return self.compare(entry) if isinstance(entry, Entry) else entry

    @staticmethod
    def compare(entry: Entry) -> Entry | Damage:
        """Compare the bytes of a picture with its record; may be called in several threads."""
        try:
            reason = comparing.compare(entry.image, entry.path.name, sha256(entry.path), entry.path)
        except OSError as error:
            return damaged(entry.digest, entry.path, error)
        return Damage(entry.digest, reason, Kind.MISMATCH, entry.path) if reason else entry

    def digests(self) -> list[str]:
        """Return the digests of all pictures that lie where they are looked for, whole or not; sorted."""
        found = shelves.files(self.root)
        return sorted({digest for path, digest in found if shelves.is_in_place(path, digest, self.root)})

    def request(self, digest: str) -> dict[str, Any] | None:
        """Return the canonical form of what a stored picture was asked for as; None where no record tells it."""
        try:
            return records.read_request(regular.read(self._name(digest, "json"), records.MAX_BYTES), digest)
        except (OSError, records.RecordError):
            return None

    def put(self, request: Mapping[str, Any], digest: str, part: Path, image: ImageFacts, made: Made) -> Entry:
        """Move the finished file `part` into the store, then its record; both, or on failure (`OSError`) neither."""
        path = self._path(digest, image.format)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._land(path, part, records.write(request, image, made))
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror or error}, in the store '{self.root}'") from error
        durable.flush_names(path.parent)
        self._shelves.forget(digest)
        return Entry(digest, path, image, made)

    def remove(self, digest: str) -> None:
        """Delete all files of a picture; raise `ConfigurationError` where that cannot be done."""
        try:
            # The record goes first: without it, nobody takes what may be left for a picture.
            for ending in ("json", *FORMATS):
                self._path(digest, ending).unlink(missing_ok=True)
        except OSError as error:
            raise ConfigurationError(f"'{self.root}': cannot delete {digest}: {error.strerror or error}") from error
        with contextlib.suppress(OSError):  # others lie there, or it is gone
            self._path(digest, "").parent.rmdir()
        self._shelves.forget(digest)

    def _land(self, path: Path, part: Path, record: bytes) -> None:
        """What may fail for want of room comes first, the moves to the final names last, the record's at the end."""
        target = path.with_suffix(".json")
        is_new = not os.path.lexists(path)
        with contextlib.ExitStack() as undo:
            written = durable.write_beside(target, record)
            undo.callback(written.unlink, missing_ok=True)
            moved = durable.move_beside(path, part)
            undo.callback(moved.unlink, missing_ok=True)
            moved.replace(path)
            if is_new:
                undo.callback(path.unlink, missing_ok=True)
            written.replace(target)
            undo.pop_all()
        # The record that described another format is gone.
        for other in set(FORMATS) - {path.suffix[1:]}:
            path.with_suffix(f".{other}").unlink(missing_ok=True)

    def check_writable(self) -> None:
        """Raise `ConfigurationError` unless files can be written here; called before anything is paid."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            durable.try_room(self.root, _ROOM_BYTES)
            self._sweep()
        except OSError as error:
            raise ConfigurationError(
                f"the store '{self.root}' cannot be written to: {error.strerror or error}; nothing was submitted"
            ) from error
        shelf = next((each for each in shelves.shelves(self.root) if not os.access(each, os.W_OK | os.X_OK)), None)
        if shelf is not None:
            raise ConfigurationError(
                f"the store's folder '{shelf}' cannot be written to; change its permissions; nothing was submitted"
            )

    def leftovers(self, used: Collection[str]) -> list[Leftover]:
        """Find files that are no part of any picture; the damage of `used` digests is not among them."""
        found = [Leftover(part, _PART) for part in shelves.parts(self.root)]
        told = {digest for digest in used if not isinstance(self.look(digest), Entry)}
        for path, digest in shelves.files(self.root):
            if digest in told:
                continue
            if not shelves.is_in_place(path, digest, self.root):
                found.append(Leftover(path, self._why_misplaced(digest, path)))
            elif digest not in used and isinstance(damage := self.look(digest), Damage):
                told.add(digest)
                found.append(Leftover(path, f"{damage.reason}; no page asks for it: restore or delete its files"))
        return found

    def _sweep(self) -> None:
        """Remove what runs that were killed while they wrote have left."""
        for part in shelves.parts(self.root):
            with contextlib.suppress(FileNotFoundError):  # another run was faster
                if time.time() - part.lstat().st_mtime > _ABANDONED_SECONDS:
                    part.unlink()

    def _without_record(self, digest: str) -> Damage | None:
        """There is no record: perhaps there is no picture, and perhaps there is one that was paid for."""
        shelf = self._path(digest, "").parent
        if os.path.lexists(shelf) and not shelf.is_dir():
            return Damage(digest, f"{shelf.name} in the store is not a folder", Kind.NOT_A_FILE, shelf)
        stray = next((path for ending in FORMATS if os.path.lexists(path := self._path(digest, ending))), None)
        if stray is not None:
            return Damage(digest, f"{stray.name} has no record beside it", Kind.INCOMPLETE, stray)
        elsewhere = self._shelves.elsewhere(digest)
        if elsewhere:
            return Damage(digest, self._why_misplaced(digest, elsewhere[0]), Kind.MISPLACED, elsewhere[0])
        return None

    def _why_misplaced(self, digest: str, path: Path) -> str:
        found, expected = path.relative_to(self.root).as_posix(), f"{digest[:2]}/{digest}{path.suffix.lower()}"
        return f"{found} lies where nobody looks for it, expected at {expected}"

    def _with_record(self, entry: Entry) -> Entry | Damage:
        digest, path = entry.digest, entry.path
        try:
            size = regular.status(path).st_size
        except FileNotFoundError:
            names = [name for name in self._shelves.names(digest) if not name.endswith(".json")]
            beside = f", but {names[0]}" if names else ""
            return Damage(digest, f"the record has no {path.name} beside it{beside}", Kind.INCOMPLETE, path)
        except OSError as error:
            return damaged(digest, path, error)
        if size != entry.image.bytes:
            return self._of_wrong_size(entry, size)
        others = self._shelves.others(digest, entry.image.format)
        if others:
            reason = f"{others[0]} lies beside {path.name}, and the record describes the latter; delete the former"
            return Damage(digest, reason, Kind.DUPLICATE, path.with_name(others[0]))
        return entry

    def _of_wrong_size(self, entry: Entry, size: int) -> Damage:
        with contextlib.suppress(OSError):
            if regular.read(entry.path, len(LFS_POINTER)).startswith(LFS_POINTER):
                return _pointer(entry.digest, entry.path)
        reason = f"{entry.path.name} has {size} bytes, its record says {entry.image.bytes}"
        return Damage(entry.digest, reason, Kind.MISMATCH, entry.path)

    def _name(self, digest: str, ending: str) -> str:
        return f"{self.root}{os.sep}{digest[:2]}{os.sep}{digest}.{ending}"

    def _path(self, digest: str, ending: str) -> Path:
        return self.root.joinpath(digest[:2], f"{digest}.{ending}")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a regular file, in hex, in bounded memory."""
    hasher = hashlib.sha256()
    for chunk in regular.chunks(path):
        hasher.update(chunk)
    return hasher.hexdigest()


def _pointer(digest: str, path: Path) -> Damage:
    reason = f"{path.name} is a Git LFS pointer; fetch it with 'git lfs pull'"
    return Damage(digest, reason, Kind.POINTER, path)


def damaged(digest: str, path: Path, error: OSError) -> Damage:
    """Return what a file is that cannot be read."""
    if isinstance(error, regular.IrregularFileError):
        return Damage(digest, f"{path.name} {error}", Kind.NOT_A_FILE, path)
    return Damage(digest, f"{path.name} cannot be read ({error.strerror or error})", Kind.UNREADABLE, path)
