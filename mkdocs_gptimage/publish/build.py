"""Encodes web versions on all cores; decodes each picture once, and at most one picture a core at a time."""

from __future__ import annotations

import functools
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ConfigurationError, PictureError
from mkdocs_gptimage.fs import atomic_write, stat_regular_file
from mkdocs_gptimage.imagefile.provenance import mark, packet_for
from mkdocs_gptimage.imagefile.verify import DECODING_BYTES
from mkdocs_gptimage.owned_folder import PARTS, make_subfolder
from mkdocs_gptimage.publish.dominant_colour import dominant_colour
from mkdocs_gptimage.publish.encode import encode, encoder_version, open_upright, resize
from mkdocs_gptimage.publish.inspect import shows_picture
from mkdocs_gptimage.publish.manifest import (
    ENCODED,
    ORIGINAL,
    WEB,
    RenditionFile,
    RenditionManifest,
    RenditionRequest,
    change_time,
    encode_manifest,
    manifest_path,
    match_by_content,
    parse_request,
    read_listed,
    read_manifest,
    rendition_name,
    rendition_path,
    required_renditions,
)
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.store.entry import Damage, damage_of
from mkdocs_gptimage.store.store import Store
from mkdocs_gptimage.store.verify import damage_of_bytes, read_verified

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from concurrent.futures import Future

    from PIL import Image

    from mkdocs_gptimage.settings import Output
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.store.entry import Entry


def build_renditions(
    entries: Sequence[Entry], output: Output, cache: Path, originals: Collection[str]
) -> dict[Digest, RenditionManifest | Damage]:
    """Make the missing web versions of each picture; return its manifest, or the damage to its bytes, by digest."""
    versions = _versions(output)
    for name in (WEB, PARTS):
        make_subfolder(cache, name)
    cores = _cores()
    # One pool decodes a picture per core, the other encodes: even a single picture uses all cores.
    pictures, work = ThreadPoolExecutor(cores), ThreadPoolExecutor(cores)
    try:
        jobs = {
            entry.digest: pictures.submit(
                _PictureBuild(entry, output, entry.digest in originals, cache, versions, work).run
            )
            for entry in entries
        }
        return {digest: job.result() for digest, job in jobs.items()}
    finally:
        for pool in (pictures, work):
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in (work, pictures):
            pool.shutdown(wait=True)


def _versions(output: Output) -> dict[str, str]:
    """The version of each encoder that there is; raise `ConfigurationError` for a required one that is not."""
    known = {kind: encoder_version(kind) for kind in ENCODED}
    missing = next((kind for kind in output.formats if kind != ORIGINAL and not known[kind]), None)
    if missing:
        raise ConfigurationError(
            f"output.formats: the installed Pillow cannot write '{missing}'; install one that can "
            f"('pip install -U pillow'), or take '{missing}' out"
        )
    return {ORIGINAL: "", **{kind: version for kind, version in known.items() if version}}


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class _PictureBuild:
    """Makes the missing web versions of one picture."""

    entry: Entry
    output: Output
    original: bool
    """Whether to publish the original in addition to the site's formats."""
    cache: Path
    versions: Mapping[str, str]
    work: ThreadPoolExecutor

    def run(self) -> RenditionManifest | Damage:
        source = _verified(self.entry)
        if isinstance(source, Damage):
            return source
        # Another process may have replaced the picture since it was looked up.
        return replace(self, entry=source.entry).derive_from(source)

    def derive_from(self, source: _SourceImage) -> RenditionManifest | Damage:
        previous = read_manifest(self.cache, self.entry)
        try:
            if previous is not None and previous.is_trusted(source.changed):
                manifest = replace(previous, changed=source.changed)
            else:
                manifest = self._measured(source)
                manifest = replace(manifest, files=self._inspected(source, manifest, previous))
            made = self._files(source, manifest)
        except PictureError as error:
            return damage_of_bytes(self.entry, error)
        manifest = replace(manifest, files={**manifest.files, **made})
        path = manifest_path(self.cache, self.entry.digest)
        atomic_write(path, encode_manifest(manifest).encode(), staging=self.cache / PARTS)
        return manifest

    def _measured(self, source: _SourceImage) -> RenditionManifest:
        picture = source.opened()
        colour = dominant_colour(picture)
        return RenditionManifest(self.entry.image, source.changed, *picture.size, colour=colour, files={})

    def _inspected(
        self, source: _SourceImage, manifest: RenditionManifest, previous: RenditionManifest | None
    ) -> dict[str, RenditionFile]:
        """Return the files of a manifest that was not written here, as far as they show the picture."""
        found = {}
        for key, listed in (previous.files if previous else {}).items():
            request = parse_request(key)
            if request is None or request.format not in self.versions:
                continue
            size = _size(manifest, request)
            is_named = listed.name == rendition_name(self.entry.image, request, self.versions[request.format])
            data = read_listed(self.cache, listed) if is_named and (listed.width, listed.height) == size else None
            if data is not None and source.is_shown_by(data, request.format, size):
                found[key] = listed
        return found

    def _files(self, source: _SourceImage, manifest: RenditionManifest) -> dict[str, RenditionFile]:
        """Return the required files by key; make those that do not exist."""
        files, missing = {}, []
        for request in required_renditions(manifest.width, self.output, original=self.original):
            name = rendition_name(self.entry.image, request, self.versions[request.format])
            listed = manifest.files.get(request.key)
            found = match_by_content(self.cache, listed) if listed and listed.name == name else None
            if found is None:
                missing.append((request, name))
            else:
                files[request.key] = found
        return files | self._make(source, manifest, missing)

    def _make(
        self, source: _SourceImage, manifest: RenditionManifest, missing: list[tuple[RenditionRequest, str]]
    ) -> dict[str, RenditionFile]:
        sizes = {request.width: _size(manifest, request) for request, _ in missing}
        widths = sorted({request.width for request, _ in missing if request.format != ORIGINAL}, reverse=True)
        # An encoder waits for its resized image, which is queued before it, so the pool cannot deadlock.
        smaller = {width: self.work.submit(resize, source.opened(), *sizes[width]) for width in widths}
        packet = source.packet() if widths else b""
        # Longest first, so that no core is still busy when the others are done.
        ordered = sorted(missing, key=lambda each: (each[0].format != "avif", -each[0].width))
        futures = {}
        for request, name in ordered:
            content = (
                source.marked
                if request.format == ORIGINAL
                else functools.partial(_encoded, smaller[request.width], request, packet)
            )
            futures[request.key] = self.work.submit(self._file, content, name, sizes[request.width])
        try:
            return {key: future.result() for key, future in futures.items()}
        finally:
            for future in futures.values():
                future.cancel()

    def _file(self, make_content: Callable[[], bytes], name: str, size: tuple[int, int]) -> RenditionFile:
        content = make_content()
        status = atomic_write(Path(rendition_path(self.cache, name)), content, staging=self.cache / PARTS)
        sha256 = hashlib.sha256(content).hexdigest()
        return RenditionFile(name, *size, bytes=len(content), changed=status.st_mtime_ns, sha256=sha256)


def _encoded(picture: Future[Image.Image], request: RenditionRequest, packet: bytes) -> bytes:
    try:
        return encode(picture.result(), request.format, request.quality, packet)
    except Exception as error:  # noqa: BLE001 - encoders raise anything
        raise_if_lacking(error, f"no {request.format} of {request.width} pixels can be made", memory=DECODING_BYTES)
        raise PictureError(
            f"no {request.format} of {request.width} pixels can be made of the picture ({error})"
        ) from None


@dataclass
class _SourceImage:
    """The verified bytes of a stored picture, decoded on first use."""

    entry: Entry
    data: bytes
    changed: int
    _picture: Image.Image | None = None

    def opened(self) -> Image.Image:
        """Return the decoded picture; not thread-safe."""
        if self._picture is None:
            try:
                self._picture = self._decoded()
            except PictureError:
                # Pictures that are decoded at the same time may have taken the memory, and given it back since.
                self._picture = self._decoded()
        return self._picture

    def _decoded(self) -> Image.Image:
        try:
            return open_upright(self.data)
        except Exception as error:  # noqa: BLE001 - decoders raise anything for malformed files
            raise_if_lacking(error, f"{self.entry.path.name} cannot be decoded", memory=DECODING_BYTES)
            raise PictureError(f"the picture is damaged ({error})") from None

    def marked(self) -> bytes:
        return mark(self.data, self.entry.image.format)

    def packet(self) -> bytes:
        return packet_for(self.opened().info["xmp"])

    def is_shown_by(self, data: bytes, kind: str, size: tuple[int, int]) -> bool:
        """Whether the bytes of a web version of this kind show this picture."""
        if kind == ORIGINAL:
            return data == self.marked()
        return shows_picture(data, self.opened(), size, kind, self.packet())


def _verified(entry: Entry) -> _SourceImage | Damage:
    """Read a stored picture and compare it with its record; later steps use these very bytes.

    Another process may have replaced the picture since it was looked up: both are read once more.
    """
    source = _read(entry)
    if isinstance(source, Damage):
        now = Store(entry.path.parents[1]).verify(entry.digest)
        if isinstance(now, Damage):
            return replace(source, advice=now.advice)
        return source if now is None else _read(now)
    return source


def _read(entry: Entry) -> _SourceImage | Damage:
    try:
        changed = change_time(stat_regular_file(entry.path))
    except OSError as error:
        return damage_of(entry.digest, entry.path, error)
    data = read_verified(entry)
    return data if isinstance(data, Damage) else _SourceImage(entry, data, changed)


def _size(manifest: RenditionManifest, request: RenditionRequest) -> tuple[int, int]:
    if request.format == ORIGINAL:
        return manifest.width, manifest.height
    return request.width, max(1, round(manifest.height * request.width / manifest.width))
