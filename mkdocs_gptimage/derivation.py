"""Making web versions on all cores: each picture is decoded once, and no more at a time than there are cores."""

from __future__ import annotations

import functools
import hashlib
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache_folder, comparing, provenance, regular, rendering, sheets
from .errors import ConfigurationError, PictureError
from .sheets import ORIGINAL, Ask, File, Sheet
from .store import Damage, Kind, damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from concurrent.futures import Future

    from PIL import Image

    from .settings import Output
    from .store import Entry


def make(
    entries: Sequence[Entry], output: Output, cache: Path, originals: Collection[str]
) -> dict[str, Sheet | Damage]:
    """Make what is missing of each picture; return its sheet, or what is wrong with its bytes, by digest."""
    versions = _versions(output)
    cache_folder.prepare(cache)
    (cache / sheets.WEB).mkdir(exist_ok=True)
    (cache / cache_folder.PARTS).mkdir(exist_ok=True)
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
        version = rendering.encoder_version(kind)
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

    def run(self) -> Sheet | Damage:
        source = _verified(self.entry)
        if isinstance(source, Damage):
            return source
        known = sheets.read(self.cache, self.entry)
        try:
            sheet = self._measured(source) if known is None else replace(known, changed=source.changed)
            made = self._files(source, sheet, known)
        except PictureError as error:
            return Damage(self.entry.digest, f"{self.entry.path.name}: {error}", Kind.UNREADABLE, self.entry.path)
        sheet = replace(sheet, files={**sheet.files, **made})
        _land(self.cache, sheets.path(self.cache, self.entry.digest), sheets.write(sheet).encode())
        return sheet

    def _measured(self, source: _Source) -> Sheet:
        picture = source.opened()
        colour = rendering.dominant_colour(picture)
        return Sheet(self.entry.image, source.changed, *picture.size, colour=colour, files={})

    def _files(self, source: _Source, sheet: Sheet, known: Sheet | None) -> dict[str, File]:
        """Find or make what is wanted."""
        files, missing = {}, []
        for ask in sheets.asks(sheet.width, self.output, original=self.original):
            name = sheets.file_name(self.entry.image, ask, self.versions[ask.format])
            listed = known.files.get(ask.key) if known else None
            found = sheets.found_again(self.cache, listed) if listed and listed.name == name else None
            if found is None:
                missing.append((ask, name))
            else:
                files[ask.key] = found
        return files | self._make(source, sheet, missing)

    def _make(self, source: _Source, sheet: Sheet, missing: list[tuple[Ask, str]]) -> dict[str, File]:
        sizes = {ask.width: _size(sheet, ask) for ask, _ in missing}
        widths = sorted({ask.width for ask, _ in missing if ask.format != ORIGINAL}, reverse=True)
        # Whoever waits for a smaller picture stands behind it in the queue, so somebody is at work on it.
        smaller = {width: self.work.submit(rendering.resized, source.opened(), *sizes[width]) for width in widths}
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

    def _file(self, make_content: Callable[[], bytes], name: str, size: tuple[int, int]) -> File:
        content = make_content()
        changed = _land(self.cache, Path(sheets.file(self.cache, name)), content)
        return File(name, *size, bytes=len(content), changed=changed, sha256=hashlib.sha256(content).hexdigest())


def _encoded(picture: Future[Image.Image], ask: Ask, packet: bytes) -> bytes:
    try:
        return rendering.encoded(picture.result(), ask.format, ask.quality, packet)
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
                self._picture = rendering.opened(self.data)
            except Exception as error:  # noqa: BLE001 - decoders raise anything for bytes made to break them
                raise PictureError(f"the picture is damaged ({error})") from None
        return self._picture

    def marked(self) -> bytes:
        return provenance.mark(self.data, self.entry.image.format)

    def packet(self) -> bytes:
        return provenance.packet_for(self.data, self.entry.image.format)


def _verified(entry: Entry) -> _Source | Damage:
    """Read a stored picture, whole or not at all; the bytes that are compared are the bytes that are used."""
    try:
        changed = sheets.changed(regular.status(entry.path))
        data = regular.read(entry.path, entry.image.bytes)
        reason = comparing.compare(entry.image, entry.path.name, hashlib.sha256(data).hexdigest(), entry.path)
    except OSError as error:
        return damaged(entry.digest, entry.path, error)
    return Damage(entry.digest, reason, path=entry.path) if reason else _Source(entry, data, changed)


def _size(sheet: Sheet, ask: Ask) -> tuple[int, int]:
    if ask.format == ORIGINAL:
        return sheet.width, sheet.height
    return ask.width, max(1, round(sheet.height * ask.width / sheet.width))


def _land(cache: Path, target: Path, content: bytes) -> int:
    """Write a file of the cache whole, under a new name first; return its time of change in nanoseconds."""
    part = cache / cache_folder.PARTS / f"{target.name}.{secrets.token_hex(4)}"
    try:
        with part.open("xb") as file:
            file.write(content)
        changed = regular.status(part).st_mtime_ns
        part.replace(target)
        return changed
    finally:
        part.unlink(missing_ok=True)
