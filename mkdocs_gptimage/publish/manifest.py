"""The manifest of a picture: one small JSON file that lists its web versions, the only file that a warm build opens.

A manifest is valid if its source matches the store record, it names the installed version of Pillow, and every file
has the listed size and mtime: sites are linked to these files, and another plugin may edit them in place, which changes
the mtime. If only the mtime differs, the file is compared by hash before it is made anew.

A manifest is believed only with a seal of this machine. Of a cache that came from elsewhere, restored by a CI service
or planted in a repository, each file is inspected once.

So a build needs one `stat` per file, a few milliseconds for a site of 1,000 pictures.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.fs import read_regular_file, stat_regular_file
from mkdocs_gptimage.imagefile.verify import MAX_BYTES
from mkdocs_gptimage.publish.seal import has_secret, is_sealed, seal
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.settings import rendition_widths
from mkdocs_gptimage.store.record import ImageFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mkdocs_gptimage.settings import Output
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.store.entry import Entry


WEB = "web"
"""The cache's folder of web versions."""
ORIGINAL = "original"
ENCODED = ("webp", "avif")
_RULES = 2
"""Version of the encoding rules; a new one has all web versions made anew."""
_MAX_BYTES = 256 * 1024
MANIFEST = re.compile(r"[0-9a-f]{64}\.json")
"""The name of a manifest."""
WEB_FILE = re.compile(r"[0-9a-z]+(?:-[0-9a-z]+)*\.(?:webp|avif|png|jpg)")
"""The name of a web version."""
_NO_SEAL = '"seal":""'
_KEY = re.compile(r"(original|webp|avif)-([0-9]{1,5})-([0-9]{1,3})")


@dataclass(frozen=True)
class RenditionRequest:
    """A web version that a site needs."""

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
    """A web version in the cache."""

    name: str
    width: int
    """Pixels, as the height."""
    height: int
    bytes: int
    changed: int
    """The mtime in nanoseconds."""
    sha256: str


@dataclass(frozen=True)
class RenditionManifest:
    """The web versions of a picture."""

    image: ImageFacts
    """The record of the stored picture that they were made of."""
    changed: int
    """`change_time` of the stored file in nanoseconds, read before the file was compared with its record."""
    width: int
    """Pixels of the upright picture, as the height."""
    height: int
    colour: str
    files: Mapping[str, RenditionFile]
    """By `RenditionRequest.key`."""
    is_sealed: bool = field(default=True, compare=False)
    """Whether an earlier build of this user on this machine wrote it."""

    def is_trusted(self, changed: int) -> bool:
        """Whether its files can be used without an inspection; `changed` is the `change_time` of the stored picture.

        Where no secret can be kept, that time has to do: to the nanosecond, it is known on this machine only.
        """
        return self.is_sealed or (self.changed == changed and not has_secret())


def parse_request(key: str) -> RenditionRequest | None:
    """Return the request with this `key`; None for a text that is none."""
    found = _KEY.fullmatch(key)
    request = RenditionRequest(found[1], int(found[2]), int(found[3])) if found else None
    return request if request and request.key == key and bool(request.width) == (request.format != ORIGINAL) else None


def required_renditions(width: int, output: Output, *, original: bool) -> list[RenditionRequest]:
    """Return the web versions that a site needs of a picture `width` pixels wide.

    `original` adds the stored pixels where the site's formats lack them.
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
    """Return the version of the encoding rules and of Pillow, without importing Pillow."""
    import importlib.metadata  # noqa: PLC0415 - only for sites with pictures

    return f"{_RULES}/{importlib.metadata.version('pillow')}"


def manifest_path(cache: Path, digest: Digest) -> Path:
    return Path(rendition_path(cache, f"{digest}.json"))


def rendition_path(cache: Path, name: str) -> str:
    """The path of a web version, as text because a site has thousands of them."""
    return f"{cache}{os.sep}{WEB}{os.sep}{name}"


def rendition_name(image: ImageFacts, request: RenditionRequest, encoder: str) -> str:
    """A file name derived from everything that determines the content; `encoder` is the encoder's version."""
    ending = image.format if request.format == ORIGINAL else request.format
    decisive = json.dumps([image.sha256, astuple(request), ending, maker(), encoder])
    return (
        f"{image.sha256[:16]}-{request.width or ORIGINAL}-{hashlib.sha256(decisive.encode()).hexdigest()[:16]}.{ending}"
    )


def read_manifest(cache: Path, entry: Entry) -> RenditionManifest | None:
    """Return the manifest of a stored picture; None if it is missing, invalid, or of another record or version."""
    try:
        text = read_regular_file(rendition_path(cache, f"{entry.digest}.json"), _MAX_BYTES)
        found = json.loads(text)
        if found["maker"] != maker():
            return None
        files = {key: _file(each) for key, each in found["files"].items()}
        numbers = {name: _number(found[name]) for name in ("changed", "width", "height")}
        manifest = RenditionManifest(
            image=ImageFacts(**found["image"]),
            colour=_text(found["colour"]),
            files=files,
            is_sealed=_is_sealed(text, _text(found.get("seal", ""))),
            **numbers,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise_if_lacking(error, "the list of a picture's web versions cannot be read")
        return None
    return manifest if manifest.image == entry.image else None


def encode_manifest(manifest: RenditionManifest) -> str:
    """Return a manifest as JSON, with a seal of this machine over all the rest of the text."""
    content = {"maker": maker(), "seal": "", **asdict(manifest)}
    del content["is_sealed"]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return text.replace(_NO_SEAL, f'"seal":"{seal(text.encode())}"')


def _is_sealed(text: bytes, found: str) -> bool:
    return bool(found) and is_sealed(text.replace(f'"seal":"{found}"'.encode(), _NO_SEAL.encode()), found)


def change_time(status: os.stat_result) -> int:
    """Return a file's ctime in nanoseconds, which a reset of the mtime changes too.

    On Windows, which has none, the sum of mtime and creation time: an archive may set the first alone.
    """
    return status.st_ctime_ns if os.name == "posix" else status.st_mtime_ns + status.st_ctime_ns


def is_unchanged(cache: Path, made: RenditionFile) -> bool:
    """Whether a file exists with the listed size and mtime."""
    try:
        status = stat_regular_file(rendition_path(cache, made.name))
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (made.bytes, made.changed)


def match_by_content(cache: Path, made: RenditionFile) -> RenditionFile | None:
    """Return the file with its present mtime if its bytes have the listed hash; else None."""
    try:
        changed = stat_regular_file(rendition_path(cache, made.name)).st_mtime_ns
    except OSError:
        return None
    return None if read_listed(cache, made) is None else replace(made, changed=changed)


def read_listed(cache: Path, made: RenditionFile) -> bytes | None:
    """Return the bytes of a web version; None unless they have the listed size and hash."""
    try:
        content = read_regular_file(rendition_path(cache, made.name), min(made.bytes, MAX_BYTES))
    except OSError:
        return None
    is_same = len(content) == made.bytes and hashlib.sha256(content).hexdigest() == made.sha256
    return content if is_same else None


def _file(found: Mapping[str, Any]) -> RenditionFile:
    made = RenditionFile(**found)
    # One condition for speed: a site has thousands of files.
    if not type(made.width) is type(made.height) is type(made.bytes) is type(made.changed) is int:
        raise TypeError(found)
    if not WEB_FILE.fullmatch(_text(made.name)):  # no path outside the folder
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
