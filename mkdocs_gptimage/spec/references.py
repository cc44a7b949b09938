"""Resolves entries of `image_urls`: URLs, data URIs, files inside the project, or other pictures."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.fs import existing_spelling
from mkdocs_gptimage.imagefile.sniff import MEDIA_TYPES, sniff
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.spec.model import BY_ID, ImageSpec, Reference, UnusableReferenceError
from mkdocs_gptimage.text import nearest, printable, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


MAX_REFERENCE_BYTES = 20 * 1024 * 1024
"""The service's limit for one reference image."""
MAX_TOTAL_BYTES = 256 * 1024 * 1024
"""The service's limit for all reference images of one request."""
_LONGEST_PATH = 200
"""Characters of a path or URL that a message shows."""
_MOST_NAMES = 2000
"""Files beside a missing one that are compared with it."""


class ReferenceResolver:
    """Resolves entries for the pages of one project; a file that many pages use is read once."""

    def __init__(self, project: Path, docs: Path) -> None:
        self._project = project.resolve()
        self._docs = docs
        self._hashed: dict[Path, tuple[tuple[int, int], Reference]] = {}
        self.provided: Callable[[str], Path | None] = lambda _: None
        """Place in the folder of the pages, where no file lies → the file that the site has there, if any."""

    def resolve(self, entry: str, folder: Path) -> Reference:
        """Return the reference for `entry` on a page in `folder`; raise `UnusableReferenceError`."""
        entry = entry.strip()
        if entry.lower().startswith(("http://", "https://")):
            return Reference(identity=entry, uri=entry)
        if entry.lower().startswith("data:"):
            return _from_data_uri(entry)
        if entry.startswith(BY_ID):
            return Reference(identity=entry, uri=None, wanted=entry.removeprefix(BY_ID))
        shown = quote(entry, _LONGEST_PATH)
        if "://" in entry:
            raise UnusableReferenceError(f"{shown} is neither an http(s) URL nor a path of a local image")
        return self._from_file(entry, shown, folder)

    def _from_file(self, entry: str, shown: str, folder: Path) -> Reference:
        path = self._docs / entry.lstrip("/") if entry.startswith("/") else folder / entry
        try:
            path = existing_spelling(path).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise_if_lacking(error, f"{shown} cannot be looked up")
            raise UnusableReferenceError(f"{shown} is not a path") from None
        if not path.is_relative_to(self._project):
            raise UnusableReferenceError(f"{shown} lies outside the project; only files below mkdocs.yml's folder")
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            found = self._from_site(path, shown)
            if found is None:
                missing = f"{shown} does not exist; looked for {self._relative(path)}"
                raise UnusableReferenceError(f"{missing}{_nearest_name(path)}") from None
            return found
        except OSError as error:
            raise_if_lacking(error, f"{shown} cannot be read")
            raise UnusableReferenceError(f"{shown} cannot be read: {error.strerror}") from None
        signature = (status.st_mtime_ns, status.st_size)
        cached = self._hashed.get(path)
        if cached and cached[0] == signature:
            return cached[1]
        reference = _read(path, shown, status.st_size)
        self._hashed[path] = (signature, reference)
        return reference

    def _from_site(self, path: Path, shown: str) -> Reference | None:
        """The reference for a file that is made or fetched while the site is built, and may be gone after that."""
        docs = self._docs.resolve()
        found = self.provided(path.relative_to(docs).as_posix()) if path.is_relative_to(docs) else None
        if found is None or not found.is_file():
            return None
        reference = _read(found, shown, found.stat().st_size)
        return dataclasses.replace(reference, path=None, uri=_file_to_send(reference))

    def _relative(self, path: Path) -> str:
        return printable(path.relative_to(self._project).as_posix())[:_LONGEST_PATH]


def _nearest_name(path: Path) -> str:
    """The end of a message about a missing file: the one beside it that may be meant."""
    try:
        names = {Path(name).stem: name for name in sorted(os.listdir(path.parent))[:_MOST_NAMES]}  # noqa: PTH208 - names
    except OSError:
        return ""
    best = nearest(path.stem, names) if names else None
    return f"; did you mean {quote(names[best], _LONGEST_PATH)}?" if best else ""


def encode_references(spec: ImageSpec, stored: Callable[[ImageSpec], bytes]) -> list[str]:
    """Return the `image_urls` of a request: URLs as they are, local files and other pictures as data URIs.

    `stored` returns the bytes of another picture, or raises `UnusableReferenceError`, as this does for pictures that
    are too large. Raises `ConfigurationError` for a file that changed since the pages were read: the picture would not
    be the one that its digest names.
    """
    parents = {parent.digest: stored(parent) for parent in spec.parents}
    check_total_size(
        reference if reference.of is None else dataclasses.replace(reference, size=len(parents[reference.of.digest]))
        for reference in spec.references
    )
    sent = {digest: _parent_to_send(data) for digest, data in parents.items()}
    return [
        reference.uri or (_file_to_send(reference) if reference.of is None else sent[reference.of.digest])
        for reference in spec.references
    ]


def check_total_size(references: Iterable[Reference]) -> None:
    """Raise `UnusableReferenceError` if the images of one request exceed the service's limit."""
    total = sum(reference.size for reference in references)
    if total > MAX_TOTAL_BYTES:
        allowed = _megabytes(MAX_TOTAL_BYTES)
        raise UnusableReferenceError(f"{_megabytes(total)} of reference images together, expected at most {allowed}")


def _read(path: Path, shown: str, size: int) -> Reference:
    if not path.is_file():
        raise UnusableReferenceError(f"{shown} is not a file")
    check_reference_size(shown, size)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise_if_lacking(error, f"{shown} cannot be read")
        raise UnusableReferenceError(f"{shown} cannot be read: {error.strerror}") from None
    kind = sniff(data)
    if kind is None:
        raise UnusableReferenceError(f"{shown} is not a PNG, JPEG, WebP or GIF image")
    return Reference(_identity(data), uri=None, path=path, media_type=MEDIA_TYPES[kind], size=len(data))


def _parent_to_send(data: bytes) -> str:
    kind = sniff(data)
    assert kind is not None  # nothing else is stored
    return _data_uri(data, MEDIA_TYPES[kind])


def _data_uri(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _file_to_send(reference: Reference) -> str:
    assert reference.path is not None
    try:
        data = reference.path.read_bytes()
    except OSError as error:
        raise_if_lacking(error, f"{reference.path} cannot be read")
        raise ConfigurationError(f"{reference.path}: cannot be read any more: {error.strerror}") from None
    if _identity(data) != reference.identity:
        raise ConfigurationError(f"{reference.path}: changed during the build; build again")
    return _data_uri(data, reference.media_type)


def _from_data_uri(entry: str) -> Reference:
    head, comma, payload = entry.partition(",")
    shown = quote(entry, 40)
    if not comma or not head.lower().startswith("data:image/") or not head.lower().endswith(";base64"):
        raise UnusableReferenceError(f"{shown} is not a 'data:image/...;base64,' URI")
    try:
        data = base64.b64decode("".join(payload.split()), validate=True)
    except (binascii.Error, ValueError):
        raise UnusableReferenceError(f"{shown} is not valid base64") from None
    check_reference_size(shown, len(data))
    if sniff(data) is None:
        raise UnusableReferenceError(f"{shown} is not a PNG, JPEG, WebP or GIF image")
    # Authors may wrap the long text; the service may reject white space.
    return Reference(_identity(data), uri=f"{head},{''.join(payload.split())}", size=len(data))


def check_reference_size(shown: str, size: int) -> None:
    """Raise `UnusableReferenceError` if one image exceeds the service's limit; `shown` names it."""
    if size > MAX_REFERENCE_BYTES:
        # Rounded up, so that an image just over the limit is not shown as '20 MB'.
        found = _megabytes(max(size, 21 * 1024 * 1024))
        raise UnusableReferenceError(f"{shown} has {found}, expected at most 20 MB")


def _identity(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:.0f} MB"
