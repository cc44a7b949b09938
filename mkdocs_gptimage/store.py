"""The store: a folder, meant to be committed, that keeps every picture under the digest of what it was asked for.

A picture is a pair of files, `3f/3f9ac2d1….png` and `3f/3f9ac2d1….json`: the bytes as the service gave them, and a
record. There is no index, so branches that add pictures merge. An entry exists when both files do and agree; what
exists in part, or disagrees, is damage: it is named, never published, and never paid for again without being asked.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ConfigurationError
from .imagetype import LFS_POINTER
from .spec import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORD_VERSION = 1
FORMATS = ("png", "jpg", "webp")

_CHUNK = 1024 * 1024
_ABANDONED_SECONDS = 3600


@dataclass(frozen=True)
class ImageFacts:
    """What is known of a picture's bytes."""

    sha256: str
    bytes: int
    width: int
    height: int
    format: str
    """`png`, `jpg` or `webp`, by content."""


@dataclass(frozen=True)
class Made:
    """How a picture came to be."""

    at: str
    """UTC, ISO 8601, seconds: `2026-11-23T21:16:57Z`."""
    gateway: str
    """The host of the service, or `emulator`."""
    task_id: str | None
    """None where the service answered with the picture at once."""
    seconds: float
    """From submit to the stored file."""
    cost_usd: float | None
    """None where the service does not tell."""


@dataclass(frozen=True)
class Entry:
    """A picture in the store."""

    digest: str
    path: Path
    image: ImageFacts
    made: Made


@dataclass(frozen=True)
class Damage:
    """A picture that the store has in part, or that disagrees with its record."""

    digest: str
    reason: str


class Store:
    """The pictures below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def look(self, digest: str) -> Entry | Damage | None:
        """Find a picture by its record and the size of its file; `verify` also reads the bytes."""
        record = self._path(digest, "json")
        try:
            text = record.read_bytes().decode()
        except (FileNotFoundError, NotADirectoryError):
            stray = next((path for path in self._pictures(digest) if path.exists()), None)
            return Damage(digest, f"{stray.name} has no record beside it") if stray else None
        except (OSError, UnicodeDecodeError) as error:
            return Damage(digest, f"the record {record.name} cannot be read ({error})")
        try:
            entry = self._entry(digest, json.loads(text))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            return Damage(digest, f"the record {record.name} is not one ({error or type(error).__name__})")
        return self._compare_size(entry)

    def ending(self, digest: str) -> str | None:
        """Return how the name of a picture's file ends, which is all that this looks at; None without one."""
        # Asked between conversions, for every block: without the objects of a path.
        stem = os.path.join(self.root, digest[:2], digest)  # noqa: PTH118
        return next((ending for ending in FORMATS if os.path.exists(f"{stem}.{ending}")), None)  # noqa: PTH110

    def verify(self, digest: str) -> Entry | Damage | None:
        """Find a picture and compare its bytes with the record."""
        entry = self.look(digest)
        if not isinstance(entry, Entry):
            return entry
        try:
            found = sha256(entry.path)
        except OSError as error:
            return Damage(digest, f"{entry.path.name} cannot be read ({error.strerror})")
        if found != entry.image.sha256:
            return Damage(digest, f"the bytes of {entry.path.name} are not those of its record")
        return entry

    def put(self, request: Mapping[str, Any], digest: str, part: Path, image: ImageFacts, made: Made) -> Entry:
        """Move the finished file `part` into the store, then write its record; both by an atomic replace."""
        path = self._path(digest, image.format)
        path.parent.mkdir(parents=True, exist_ok=True)
        _move(part, path)
        record = {"v": RECORD_VERSION, "request": dict(request), "image": asdict(image), "made": asdict(made)}
        text = json.dumps(record, sort_keys=True, indent=2, ensure_ascii=False)
        _write(self._path(digest, "json"), f"{text}\n".encode())
        _make_names_durable(path.parent)
        return Entry(digest, path, image, made)

    def check_writable(self) -> None:
        """Raise `ConfigurationError` unless files can be written here; called before anything is paid."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
            self._sweep()
        except OSError as error:
            raise ConfigurationError(
                f"the store '{self.root}' cannot be written to: {error.strerror}; nothing was submitted"
            ) from error

    def _sweep(self) -> None:
        """Remove what runs that were killed while they wrote have left."""
        for part in self.root.glob("*/.*.part"):
            with contextlib.suppress(FileNotFoundError):  # another run was faster
                if time.time() - part.stat().st_mtime > _ABANDONED_SECONDS:
                    part.unlink()

    def _entry(self, digest: str, record: dict[str, Any]) -> Entry:
        if record["v"] != RECORD_VERSION:
            raise ValueError(f"version {record['v']!r}, expected {RECORD_VERSION}")
        if digest_of(record["request"]) != digest:
            raise ValueError("its request belongs to another picture")
        image, made = ImageFacts(**record["image"]), Made(**record["made"])
        counts = (image.bytes, image.width, image.height)
        if image.format not in FORMATS or not all(type(count) is int and count > 0 for count in counts):
            raise ValueError("its image is described wrongly")
        numbers = (made.seconds, 0 if made.cost_usd is None else made.cost_usd)
        if not all(type(number) in (int, float) for number in numbers):
            raise ValueError("how it was made is described wrongly")
        return Entry(digest, self._path(digest, image.format), image, made)

    def _compare_size(self, entry: Entry) -> Entry | Damage:
        name = entry.path.name
        try:
            found = entry.path.stat()
        except OSError:
            return Damage(entry.digest, f"the record has no {name} beside it")
        if not stat.S_ISREG(found.st_mode):
            return Damage(entry.digest, f"{name} is not a file")
        if found.st_size == entry.image.bytes:
            return entry
        with contextlib.suppress(OSError), entry.path.open("rb") as file:
            if file.read(len(LFS_POINTER)) == LFS_POINTER:
                return Damage(entry.digest, f"{name} is a Git LFS pointer; fetch the picture with 'git lfs pull'")
        return Damage(entry.digest, f"{name} has {found.st_size} bytes, its record says {entry.image.bytes}")

    def _path(self, digest: str, ending: str) -> Path:
        return self.root.joinpath(digest[:2], f"{digest}.{ending}")

    def _pictures(self, digest: str) -> list[Path]:
        return [self._path(digest, ending) for ending in FORMATS]


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex, in bounded memory."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


def _move(source: Path, target: Path) -> None:
    """Replace `target` by `source`, durably; across file systems by a copy beside the target."""
    with source.open("rb+") as file:
        os.fsync(file.fileno())
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _write(target, source)
        source.unlink()


def _write(target: Path, content: bytes | Path) -> None:
    """Write beside the target, make it durable, then replace the target in one step."""
    handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                with content.open("rb") as source:
                    shutil.copyfileobj(source, file, _CHUNK)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o666 & ~_umask())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _make_names_durable(folder: Path) -> None:
    """Make the replaces in a folder survive a loss of power, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
