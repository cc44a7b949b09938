"""A stored picture, and the kinds of damage to one."""

from __future__ import annotations

import enum
import functools
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mkdocs_gptimage.fs import IrregularFileError
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.spec.digest import SHORT_LENGTH

if TYPE_CHECKING:
    from pathlib import Path

    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.store.record import ImageFacts, Provenance


_READ_AGAIN = "Change its permissions, or look after the disk; restore it from version control if it is lost"


@dataclass(frozen=True)
class Entry:
    """A picture in the store."""

    digest: Digest
    path: Path
    image: ImageFacts
    made: Provenance

    @functools.cached_property
    def version(self) -> str:
        """12 hexadecimal digits for addresses: another picture with this digest, or another digest, has others."""
        return hashlib.sha256(f"{self.digest} {self.image.sha256}".encode()).hexdigest()[:SHORT_LENGTH]


class DamageKind(enum.Enum):
    """The kind of damage, as in the JSON output."""

    INCOMPLETE = "incomplete"
    """One of the two files is missing."""
    MISPLACED = "misplaced"
    """Its files lie in another folder, or are named in upper case."""
    DUPLICATE = "duplicate"
    """There is more than one image file."""
    POINTER = "lfs-pointer"
    """Git LFS has not fetched it."""
    NOT_A_FILE = "not-a-file"
    """A link, a folder, a pipe, a socket or a device."""
    UNREADABLE = "unreadable"
    RECORD = "record"
    """The record is invalid, or another picture's."""
    CONFLICT = "conflict"
    """The record has the conflict markers of a merge."""
    OVER_LIMIT = "over-limit"
    """Decoding it would take more time or memory than is sensible."""
    MISMATCH = "mismatch"
    """The bytes are not those that the record describes."""


@dataclass(frozen=True)
class Damage:
    """A stored picture that is incomplete, misplaced or different from its record."""

    digest: Digest
    reason: str
    kind: DamageKind = field(default=DamageKind.MISMATCH, compare=False)
    path: Path | None = field(default=None, compare=False)
    """The file at fault."""
    advice: str = field(default="", compare=False)
    """What to do, where it is not what the kind suggests."""

    @property
    def remedy(self) -> str:
        """What to do; empty if the reason says it."""
        if self.advice:
            return self.advice
        if self.kind in (DamageKind.POINTER, DamageKind.DUPLICATE):
            return ""
        if self.kind is DamageKind.MISPLACED:
            return "Move both of its files there"
        return "Restore its files from version control, or delete both of them to have it made anew"


@dataclass(frozen=True)
class Leftover:
    """A file in the store that belongs to no picture."""

    path: Path
    reason: str


def lfs_pointer(digest: Digest, path: Path) -> Damage:
    reason = f"{path.name} is a Git LFS pointer; fetch it with 'git lfs pull'"
    return Damage(digest, reason, DamageKind.POINTER, path)


def damage_of(digest: Digest, path: Path, error: OSError) -> Damage:
    """Return the damage for a file that cannot be read; raise `ResourceError` when this process lacks resources."""
    raise_if_lacking(error, f"{path.name} in the store cannot be read")
    if isinstance(error, IrregularFileError):
        return Damage(digest, f"{path.name} {error}", DamageKind.NOT_A_FILE, path)
    reason = f"{path.name} cannot be read ({error.strerror or error})"
    return Damage(digest, reason, DamageKind.UNREADABLE, path, advice=_READ_AGAIN)
