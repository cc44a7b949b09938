"""The manifest of a picture: one small JSON file that lists its web versions, the only file that a warm build opens.

A sheet is believed as far as it says what the record says, names Pillow's version, and its files have the sizes and
the times of change that it lists: sites are linked to these files, and a neighbour may edit them in place, which
moves the time. A file whose time has moved, by a copy of the cache for example, is read and compared before it is made
anew. So for each file a build asks the file system once; for a site of 1,000 pictures that is a few milliseconds.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.fs import read_regular_file, stat_regular_file
from mkdocs_gptimage.settings import rendition_widths
from mkdocs_gptimage.store.record import ImageFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mkdocs_gptimage.settings import Output
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.store.entry import Entry


WEB = "web"
"""The folder of the cache."""
ORIGINAL = "original"
_RULES = 2
"""Changes whenever the same picture should be made differently."""
_MAX_BYTES = 256 * 1024
_NAME = re.compile(r"[0-9a-z]+(?:-[0-9a-z]+)*\.(?:webp|avif|png|jpg)")


@dataclass(frozen=True)
class RenditionRequest:
    """One file of a picture that a site wants."""

    format: str
    """`webp`, `avif` or `original`."""
    width: int = 0
    """Pixels; 0 for an original."""
    quality: int = 0

    @property
    def key(self) -> str:
        return f"{self.format}-{self.width}-{self.quality}"


@dataclass(frozen=True)
class RenditionFile:
    """One file that was made."""

    name: str
    width: int
    """Pixels, as the height."""
    height: int
    bytes: int
    changed: int
    """Nanoseconds: its time of change."""
    sha256: str


@dataclass(frozen=True)
class RenditionManifest:
    """What is known of a picture's web versions."""

    image: ImageFacts
    """The record of the stored picture that they were made of."""
    changed: int
    """Nanoseconds: when the stored file last changed, before it was compared with the record."""
    width: int
    """Pixels of the picture when it stands upright, as the height."""
    height: int
    colour: str
    files: Mapping[str, RenditionFile]
    """By the key of what was asked for."""


def required_renditions(width: int, output: Output, *, original: bool) -> list[RenditionRequest]:
    """Return what a site wants of a picture that is so many pixels wide.

    `original` wants the stored pixels also where the site's formats do not ask for them.
    """
    found = []
    widths = rendition_widths(width, sorted(output.widths))
    for each in output.formats:
        found += (
            [RenditionRequest(each)]
            if each == ORIGINAL
            else [RenditionRequest(each, one, output.quality[each]) for one in widths]
        )
    return found if ORIGINAL in output.formats or not original else [*found, RenditionRequest(ORIGINAL)]


@functools.cache
def maker() -> str:
    """What makes the files: these rules, and Pillow's version, found without loading Pillow."""
    import importlib.metadata  # noqa: PLC0415 - only for sites with pictures

    return f"{_RULES}/{importlib.metadata.version('pillow')}"


def manifest_path(cache: Path, digest: Digest) -> Path:
    return Path(rendition_path(cache, f"{digest}.json"))


def rendition_path(cache: Path, name: str) -> str:
    """The path of a file of web versions; as text, because a site has thousands of them."""
    return f"{cache}{os.sep}{WEB}{os.sep}{name}"


def rendition_name(image: ImageFacts, ask: RenditionRequest, encoder: str) -> str:
    """A name that changes with all that decides about the file's bytes; `encoder` is the encoder's version."""
    ending = image.format if ask.format == ORIGINAL else ask.format
    decisive = json.dumps([image.sha256, astuple(ask), ending, maker(), encoder])
    return f"{image.sha256[:16]}-{ask.width or ORIGINAL}-{hashlib.sha256(decisive.encode()).hexdigest()[:16]}.{ending}"


def read_manifest(cache: Path, entry: Entry) -> RenditionManifest | None:
    """Return the sheet of a stored picture; None where it has none that speaks of what its record says now."""
    try:
        found = json.loads(read_regular_file(rendition_path(cache, f"{entry.digest}.json"), _MAX_BYTES))
        if found["maker"] != maker():
            return None
        files = {key: _file(each) for key, each in found["files"].items()}
        numbers = {name: _number(found[name]) for name in ("changed", "width", "height")}
        sheet = RenditionManifest(
            image=ImageFacts(**found["image"]), colour=_text(found["colour"]), files=files, **numbers
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return sheet if sheet.image == entry.image else None


def encode_manifest(sheet: RenditionManifest) -> str:
    """Return the text of a sheet."""
    return json.dumps({"maker": maker(), **asdict(sheet)}, sort_keys=True, separators=(",", ":"))


def change_time(status: os.stat_result) -> int:
    """Nanoseconds of a stored file's last change, its content's or its times'; Windows knows the content's only."""
    return status.st_ctime_ns if os.name == "posix" else status.st_mtime_ns


def is_unchanged(cache: Path, made: RenditionFile) -> bool:
    """Whether a file exists with the listed size and time of change."""
    try:
        status = stat_regular_file(rendition_path(cache, made.name))
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (made.bytes, made.changed)


def match_by_content(cache: Path, made: RenditionFile) -> RenditionFile | None:
    """Return what a sheet says of a file whose bytes are the same, whatever its times; else None."""
    where = rendition_path(cache, made.name)
    try:
        status = stat_regular_file(where)
        content = read_regular_file(where, made.bytes) if status.st_size == made.bytes else b""
    except OSError:
        return None
    is_same = hashlib.sha256(content).hexdigest() == made.sha256
    return replace(made, changed=status.st_mtime_ns) if is_same else None


def _file(found: Mapping[str, Any]) -> RenditionFile:
    made = RenditionFile(**found)
    # All at once: a site has thousands of them.
    if not type(made.width) is type(made.height) is type(made.bytes) is type(made.changed) is int:
        raise TypeError(found)
    if not _NAME.fullmatch(_text(made.name)):  # it may lead nowhere else
        raise ValueError(made.name)
    _text(made.sha256)
    return made


def _number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(value)
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(value)
    return value
