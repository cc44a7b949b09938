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
from mkdocs_gptimage.fs import PARTS, atomic_write, prepare_cache, read_regular_file, stat_regular_file
from mkdocs_gptimage.imagefile.provenance import mark, packet_for
from mkdocs_gptimage.publish.dominant_colour import dominant_colour
from mkdocs_gptimage.publish.encode import encode, encoder_version, open_upright, resize
from mkdocs_gptimage.publish.manifest import (
    ORIGINAL,
    WEB,
    RenditionFile,
    RenditionManifest,
    RenditionRequest,
    change_time,
    encode_manifest,
    manifest_path,
    match_by_content,
    read_manifest,
    rendition_name,
    rendition_path,
    required_renditions,
)
from mkdocs_gptimage.store.entry import Damage, DamageKind, damage_of
from mkdocs_gptimage.store.verify import compare_bytes

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
    """Make what is missing of each picture; return its sheet, or what is wrong with its bytes, by digest."""
    versions = _versions(output)
    prepare_cache(cache)
    (cache / WEB).mkdir(exist_ok=True)
    (cache / PARTS).mkdir(exist_ok=True)
    cores = _cores()
    # Each core takes a picture; what is made of it is shared among all, so that a single one keeps all of them busy.
    pictures, work = ThreadPoolExecutor(cores), ThreadPoolExecutor(cores)
    try:
        jobs = {
            entry.digest: pictures.submit(_Job(entry, output, entry.digest in originals, cache, versions, work).run)
            for entry in entries
        }
        return {digest: job.result() for digest, job in jobs.items()}
    finally:
        for pool in (pictures, work):
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in (work, pictures):
            pool.shutdown(wait=True)


def _versions(output: Output) -> dict[str, str]:
    """The version of each encoder that is needed."""
    versions = {ORIGINAL: ""}
    for kind in set(output.formats) - {ORIGINAL}:
        version = encoder_version(kind)
        if version is None:
            raise ConfigurationError(
                f"output.formats: the installed Pillow cannot write '{kind}'; install one that can "
                f"('pip install -U pillow'), or take '{kind}' out"
            )
        versions[kind] = version
    return versions


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class _Job:
    """All that is missing of one picture."""

    entry: Entry
    output: Output
    original: bool
    """The original is wanted beside what the site's formats ask for."""
    cache: Path
    versions: Mapping[str, str]
    work: ThreadPoolExecutor

    def run(self) -> RenditionManifest | Damage:
        source = _verified(self.entry)
        if isinstance(source, Damage):
            return source
        known = read_manifest(self.cache, self.entry)
        try:
            sheet = self._measured(source) if known is None else replace(known, changed=source.changed)
            made = self._files(source, sheet, known)
        except PictureError as error:
            return Damage(self.entry.digest, f"{self.entry.path.name}: {error}", DamageKind.UNREADABLE, self.entry.path)
        sheet = replace(sheet, files={**sheet.files, **made})
        path = manifest_path(self.cache, self.entry.digest)
        atomic_write(path, encode_manifest(sheet).encode(), staging=self.cache / PARTS)
        return sheet

    def _measured(self, source: _Source) -> RenditionManifest:
        picture = source.opened()
        colour = dominant_colour(picture)
        return RenditionManifest(self.entry.image, source.changed, *picture.size, colour=colour, files={})

    def _files(
        self, source: _Source, sheet: RenditionManifest, known: RenditionManifest | None
    ) -> dict[str, RenditionFile]:
        """Find or make what is wanted."""
        files, missing = {}, []
        for ask in required_renditions(sheet.width, self.output, original=self.original):
            name = rendition_name(self.entry.image, ask, self.versions[ask.format])
            listed = known.files.get(ask.key) if known else None
            found = match_by_content(self.cache, listed) if listed and listed.name == name else None
            if found is None:
                missing.append((ask, name))
            else:
                files[ask.key] = found
        return files | self._make(source, sheet, missing)

    def _make(
        self, source: _Source, sheet: RenditionManifest, missing: list[tuple[RenditionRequest, str]]
    ) -> dict[str, RenditionFile]:
        sizes = {ask.width: _size(sheet, ask) for ask, _ in missing}
        widths = sorted({ask.width for ask, _ in missing if ask.format != ORIGINAL}, reverse=True)
        # An encoder waits for its resized image, which is queued before it, so the pool cannot deadlock.
        smaller = {width: self.work.submit(resize, source.opened(), *sizes[width]) for width in widths}
        packet = source.packet() if widths else b""
        # What takes longest comes first, so that no core is left with it at the end.
        ordered = sorted(missing, key=lambda each: (each[0].format != "avif", -each[0].width))
        futures = {}
        for ask, name in ordered:
            content = (
                source.marked
                if ask.format == ORIGINAL
                else functools.partial(_encoded, smaller[ask.width], ask, packet)
            )
            futures[ask.key] = self.work.submit(self._file, content, name, sizes[ask.width])
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


def _encoded(picture: Future[Image.Image], ask: RenditionRequest, packet: bytes) -> bytes:
    try:
        return encode(picture.result(), ask.format, ask.quality, packet)
    except Exception as error:  # noqa: BLE001 - encoders raise anything
        raise PictureError(f"no {ask.format} of {ask.width} pixels can be made of the picture ({error})") from None


@dataclass
class _Source:
    """The verified bytes of a stored picture, and its pixels when they are needed."""

    entry: Entry
    data: bytes
    changed: int
    _picture: Image.Image | None = None

    def opened(self) -> Image.Image:
        """Return the picture, decoded once; for one thread."""
        if self._picture is None:
            try:
                self._picture = open_upright(self.data)
            except Exception as error:  # noqa: BLE001 - decoders raise anything for bytes made to break them
                raise PictureError(f"the picture is damaged ({error})") from None
        return self._picture

    def marked(self) -> bytes:
        return mark(self.data, self.entry.image.format)

    def packet(self) -> bytes:
        return packet_for(self.opened().info["xmp"])


def _verified(entry: Entry) -> _Source | Damage:
    """Read a stored picture, whole or not at all; the bytes that are compared are the bytes that are used."""
    try:
        changed = change_time(stat_regular_file(entry.path))
        data = read_regular_file(entry.path, entry.image.bytes)
        reason = compare_bytes(entry.image, entry.path.name, hashlib.sha256(data).hexdigest(), entry.path)
    except OSError as error:
        return damage_of(entry.digest, entry.path, error)
    return Damage(entry.digest, reason, path=entry.path) if reason else _Source(entry, data, changed)


def _size(sheet: RenditionManifest, ask: RenditionRequest) -> tuple[int, int]:
    if ask.format == ORIGINAL:
        return sheet.width, sheet.height
    return ask.width, max(1, round(sheet.height * ask.width / sheet.width))
