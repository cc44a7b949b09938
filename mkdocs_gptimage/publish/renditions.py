"""Web versions of stored pictures: found by their manifests in the cache, or encoded when missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.fs import stat_regular_file
from mkdocs_gptimage.publish.manifest import (
    ORIGINAL,
    RenditionFile,
    RenditionManifest,
    RenditionRequest,
    change_time,
    is_unchanged,
    read_manifest,
    rendition_path,
    required_renditions,
)
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.store.entry import Damage

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from mkdocs_gptimage.settings import Output
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.store.entry import Entry


@dataclass(frozen=True)
class Rendition:
    """One published file of a picture."""

    format: str
    """What the file is: `webp`, `avif`, `png` or `jpg`."""
    width: int
    """Pixels of the upright picture, as the height."""
    height: int
    path: str
    """In the cache folder."""
    is_original: bool
    """The stored pixels, not encoded again."""


@dataclass(frozen=True)
class RenditionSet:
    """All published files of a picture."""

    renditions: tuple[Rendition, ...]
    """Grouped by format in the site's order, widths ascending; an original that is only linked to comes last."""
    width: int
    """Pixels of the upright picture, as the height."""
    height: int
    colour: str
    """The dominant colour, `#rrggbb`, shown while it loads; empty if the image has transparency."""


def derive_renditions(
    entries: Sequence[Entry], output: Output, cache: Path, *, originals: Collection[str] = ()
) -> dict[Digest, RenditionSet | Damage]:
    """Return the files of each picture, or its damage, by digest; makes missing files.

    `originals` are the digests whose original is published in addition to the site's formats. Raises `OSError` if the
    cache cannot be written to, and `ConfigurationError` for a format that this Pillow cannot write.
    """
    found: dict[Digest, RenditionSet | Damage] = {}
    cold: dict[Digest, Entry] = {}
    for entry in entries:
        cached = _cached(entry, output, cache, original=entry.digest in originals)
        if cached is None:
            cold[entry.digest] = entry
        else:
            found[entry.digest] = cached
    if cold:
        from mkdocs_gptimage.publish.build import build_renditions  # noqa: PLC0415 - loads Pillow, which a warm build does not need

        made = build_renditions(list(cold.values()), output, cache, originals)
        found |= {
            digest: each
            if isinstance(each, Damage)
            else _rendition_set(each, required_renditions(each.width, output, original=digest in originals), cache)
            for digest, each in made.items()
        }
    return {entry.digest: found[entry.digest] for entry in entries}


def _cached(entry: Entry, output: Output, cache: Path, *, original: bool) -> RenditionSet | None:
    """Return the files by the picture's manifest; None if one is missing or out of date."""
    manifest = read_manifest(cache, entry)
    if manifest is None:
        return None
    try:
        status = stat_regular_file(entry.path)
    except OSError as error:
        raise_if_lacking(error, f"{entry.path.name} in the store cannot be read")
        return None  # replaced since it was looked up, or damaged: it is read again
    changed = change_time(status)
    if changed != manifest.changed or not manifest.is_trusted(changed):
        return None
    wanted = required_renditions(manifest.width, output, original=original)
    for request in wanted:
        made = manifest.files.get(request.key)
        if made is None or not is_unchanged(cache, made):
            return None
    return _rendition_set(manifest, wanted, cache)


def _rendition_set(manifest: RenditionManifest, wanted: Sequence[RenditionRequest], cache: Path) -> RenditionSet:
    made = tuple(_rendition(manifest.files[request.key], manifest.image.format, request, cache) for request in wanted)
    return RenditionSet(made, manifest.width, manifest.height, manifest.colour)


def _rendition(made: RenditionFile, stored_format: str, request: RenditionRequest, cache: Path) -> Rendition:
    is_original = request.format == ORIGINAL
    kind = stored_format if is_original else request.format
    return Rendition(kind, made.width, made.height, rendition_path(cache, made.name), is_original)
