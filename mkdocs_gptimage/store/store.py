"""The content-addressed store: a folder, to be committed, with a picture and a record for each digest.

A picture is a pair of files, `3f/3f9ac2d1….png` and `3f/3f9ac2d1….json`: the bytes as the service gave them, and a
record. There is no index, so branches that add pictures merge. An entry exists when both files do and agree; what
exists in part, in the wrong place or twice, or disagrees, is damage: it is named, never published, and never paid for
again without being asked. A symbolic link is damage too: what is committed must be the picture, and not a name of
something on the machine that follows it.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.fs import (
    check_room,
    move_beside,
    read_regular_file,
    sha256_of_file,
    stat_regular_file,
    sync_folder,
    write_beside,
)
from mkdocs_gptimage.imagefile.sniff import LFS_POINTER
from mkdocs_gptimage.store.entry import Damage, DamageKind, Entry, Leftover, damage_of, lfs_pointer
from mkdocs_gptimage.store.layout import DirectoryIndex, is_in_place, part_files, picture_files, shard_folders
from mkdocs_gptimage.store.record import (
    FORMATS,
    MAX_RECORD_BYTES,
    ImageFacts,
    Provenance,
    RecordError,
    decode_record,
    decode_request,
    encode_record,
)
from mkdocs_gptimage.store.verify import compare_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from mkdocs_gptimage.spec.digest import Digest


_ABANDONED_SECONDS = 3600
_ROOM_BYTES = 1024 * 1024
"""A picture of the smallest resolution takes about as much."""
_PART = "is being written, or was left by a run that was killed; delete it when no build runs"


class Store:
    """The pictures below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._shelves = DirectoryIndex(root)

    def get(self, digest: Digest) -> Entry | Damage | None:
        """Find a picture by its record and the size of its file; `verify` also reads the bytes."""
        # Asked for every picture of a site: without the objects of a path until one is needed.
        record = self._name(digest, "json")
        try:
            data = read_regular_file(record, MAX_RECORD_BYTES)
            if data.startswith(LFS_POINTER):
                return lfs_pointer(digest, Path(record))
            image, made = decode_record(data, digest)
        except (FileNotFoundError, NotADirectoryError):
            return self._without_record(digest)
        except OSError as error:
            return damage_of(digest, Path(record), error)
        except RecordError as error:
            reason = f"the record {os.path.basename(record)} is not one ({error})"  # noqa: PTH119 - as above
            return Damage(digest, reason, DamageKind.RECORD, Path(record))
        return self._with_record(Entry(digest, self._path(digest, image.format), image, made))

    def ending(self, digest: Digest) -> str | None:
        """Return how the name of a picture's file ends, which is all that this looks at; None without one."""
        return next((ending for ending in FORMATS if os.path.exists(self._name(digest, ending))), None)  # noqa: PTH110

    def verify(self, digest: Digest) -> Entry | Damage | None:
        """Find a picture and compare its bytes with the record."""
        entry = self.get(digest)
        return self.compare(entry) if isinstance(entry, Entry) else entry

    @staticmethod
    def compare(entry: Entry) -> Entry | Damage:
        """Compare the bytes of a picture with its record; may be called in several threads."""
        try:
            reason = compare_bytes(entry.image, entry.path.name, sha256_of_file(entry.path), entry.path)
        except OSError as error:
            return damage_of(entry.digest, entry.path, error)
        return Damage(entry.digest, reason, DamageKind.MISMATCH, entry.path) if reason else entry

    def digests(self) -> list[Digest]:
        """Return the digests of all pictures that lie where they are looked for, whole or not; sorted."""
        found = picture_files(self.root)
        return sorted({digest for path, digest in found if is_in_place(path, digest, self.root)})

    def request(self, digest: Digest) -> dict[str, Any] | None:
        """Return the canonical form of what a stored picture was asked for as; None where no record tells it."""
        try:
            return decode_request(read_regular_file(self._name(digest, "json"), MAX_RECORD_BYTES), digest)
        except (OSError, RecordError):
            return None

    def put(self, request: Mapping[str, Any], digest: Digest, part: Path, image: ImageFacts, made: Provenance) -> Entry:
        """Move the finished file `part` into the store, then its record; both, or on failure (`OSError`) neither."""
        path = self._path(digest, image.format)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._land(path, part, encode_record(request, image, made))
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror or error}, in the store '{self.root}'") from error
        sync_folder(path.parent)
        self._shelves.forget(digest)
        return Entry(digest, path, image, made)

    def remove(self, digest: Digest) -> None:
        """Delete all files of a picture; raise `ConfigurationError` where that cannot be done."""
        try:
            # The record goes first: an image without a record is not taken for a picture.
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
            written = write_beside(target, record)
            undo.callback(written.unlink, missing_ok=True)
            moved = move_beside(path, part)
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
            check_room(self.root, _ROOM_BYTES)
            self._sweep()
        except OSError as error:
            raise ConfigurationError(
                f"the store '{self.root}' cannot be written to: {error.strerror or error}; nothing was submitted"
            ) from error
        shelf = next((each for each in shard_folders(self.root) if not os.access(each, os.W_OK | os.X_OK)), None)
        if shelf is not None:
            raise ConfigurationError(
                f"the store's folder '{shelf}' cannot be written to; change its permissions; nothing was submitted"
            )

    def leftovers(self, used: Collection[Digest]) -> list[Leftover]:
        """Find files that are no part of any picture; the damage of `used` digests is not among them."""
        found = [Leftover(part, _PART) for part in part_files(self.root)]
        told = {digest for digest in used if not isinstance(self.get(digest), Entry)}
        for path, digest in picture_files(self.root):
            if digest in told:
                continue
            if not is_in_place(path, digest, self.root):
                found.append(Leftover(path, self._why_misplaced(digest, path)))
            elif digest not in used and isinstance(damage := self.get(digest), Damage):
                told.add(digest)
                found.append(Leftover(path, f"{damage.reason}; no page asks for it: restore or delete its files"))
        return found

    def _sweep(self) -> None:
        """Remove what runs that were killed while they wrote have left."""
        for part in part_files(self.root):
            with contextlib.suppress(FileNotFoundError):  # another run was faster
                if time.time() - part.lstat().st_mtime > _ABANDONED_SECONDS:
                    part.unlink()

    def _without_record(self, digest: Digest) -> Damage | None:
        """There is no record: perhaps there is no picture, and perhaps there is one that was paid for."""
        shelf = self._path(digest, "").parent
        if os.path.lexists(shelf) and not shelf.is_dir():
            return Damage(digest, f"{shelf.name} in the store is not a folder", DamageKind.NOT_A_FILE, shelf)
        stray = next((path for ending in FORMATS if os.path.lexists(path := self._path(digest, ending))), None)
        if stray is not None:
            return Damage(digest, f"{stray.name} has no record beside it", DamageKind.INCOMPLETE, stray)
        elsewhere = self._shelves.elsewhere(digest)
        if elsewhere:
            return Damage(digest, self._why_misplaced(digest, elsewhere[0]), DamageKind.MISPLACED, elsewhere[0])
        return None

    def _why_misplaced(self, digest: Digest, path: Path) -> str:
        found, expected = path.relative_to(self.root).as_posix(), f"{digest[:2]}/{digest}{path.suffix.lower()}"
        return f"{found} is misplaced, expected at {expected}"

    def _with_record(self, entry: Entry) -> Entry | Damage:
        digest, path = entry.digest, entry.path
        try:
            size = stat_regular_file(path).st_size
        except FileNotFoundError:
            names = [name for name in self._shelves.names(digest) if not name.endswith(".json")]
            beside = f", but {names[0]}" if names else ""
            return Damage(digest, f"the record has no {path.name} beside it{beside}", DamageKind.INCOMPLETE, path)
        except OSError as error:
            return damage_of(digest, path, error)
        if size != entry.image.bytes:
            return self._of_wrong_size(entry, size)
        others = self._shelves.others(digest, entry.image.format)
        if others:
            reason = f"{others[0]} lies beside {path.name}, which the record describes; delete {others[0]}"
            return Damage(digest, reason, DamageKind.DUPLICATE, path.with_name(others[0]))
        return entry

    def _of_wrong_size(self, entry: Entry, size: int) -> Damage:
        with contextlib.suppress(OSError):
            if read_regular_file(entry.path, len(LFS_POINTER)).startswith(LFS_POINTER):
                return lfs_pointer(entry.digest, entry.path)
        reason = f"{entry.path.name} has {size} bytes, its record says {entry.image.bytes}"
        return Damage(entry.digest, reason, DamageKind.MISMATCH, entry.path)

    def _name(self, digest: Digest, ending: str) -> str:
        return f"{self.root}{os.sep}{digest[:2]}{os.sep}{digest}.{ending}"

    def _path(self, digest: Digest, ending: str) -> Path:
        return self.root.joinpath(digest[:2], f"{digest}.{ending}")


def verify_all(store: Store, digests: Iterable[Digest]) -> dict[Digest, Entry | Damage | None]:
    """Return what the store has for each digest, its bytes compared with its record."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - slow to import, and no build verifies

    # Folders are listed here, in one thread: what is known of them is kept in the store's object.
    found = {digest: store.get(digest) for digest in digests}
    whole = [entry for entry in found.values() if isinstance(entry, Entry)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for entry, compared in zip(whole, pool.map(store.compare, whole), strict=True):
            found[entry.digest] = compared
    return found
