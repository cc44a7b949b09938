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
from mkdocs_gptimage.store.entry import Damage, damage_of

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
    """Pixels, as the height, when it stands upright."""
    height: int
    path: str
    """Of the file, below the cache folder."""
    is_original: bool
    """The stored pixels, not encoded again."""


@dataclass(frozen=True)
class RenditionSet:
    """All files of a picture that a site shows."""

    renditions: tuple[Rendition, ...]
    """Grouped by format in the order of the site's; widths rising. An original that is only linked to comes last."""
    width: int
    """Pixels of the picture, as the height, when it stands upright."""
    height: int
    colour: str
    """`#rrggbb`, the dominant one, for the time while it loads; empty for a picture that something shines through."""


def derive_renditions(
    entries: Sequence[Entry], output: Output, cache: Path, *, originals: Collection[str] = ()
) -> dict[Digest, RenditionSet | Damage]:
    """Return the files of each picture, by digest, or what is wrong with its bytes; makes those that are not there.

    `originals` are the digests whose original is wanted beside what the site's formats ask for. Raises `OSError` where
    the cache cannot be written to, and `ConfigurationError` for a format that this Pillow cannot write.
    """
    found: dict[Digest, RenditionSet | Damage] = {}
    cold: dict[Digest, Entry] = {}
    for entry in entries:
        known = _known(entry, output, cache, original=entry.digest in originals)
        if known is None:
            cold[entry.digest] = entry
        else:
            found[entry.digest] = known
    if cold:
        from mkdocs_gptimage.publish.build import build_renditions  # noqa: PLC0415 - loads Pillow, which a warm build does not need

        made = build_renditions(list(cold.values()), output, cache, originals)
        found |= {
            digest: each
            if isinstance(each, Damage)
            else _derived(each, required_renditions(each.width, output, original=digest in originals), cache)
            for digest, each in made.items()
        }
    return {entry.digest: found[entry.digest] for entry in entries}


def _known(entry: Entry, output: Output, cache: Path, *, original: bool) -> RenditionSet | Damage | None:
    """What the picture's sheet says, as far as that can be believed."""
    sheet = read_manifest(cache, entry)
    if sheet is None:
        return None
    try:
        status = stat_regular_file(entry.path)
    except OSError as error:
        return damage_of(entry.digest, entry.path, error)
    if change_time(status) != sheet.changed:
        return None
    wanted = required_renditions(sheet.width, output, original=original)
    for ask in wanted:
        made = sheet.files.get(ask.key)
        if made is None or not is_unchanged(cache, made):
            return None
    return _derived(sheet, wanted, cache)


def _derived(sheet: RenditionManifest, wanted: Sequence[RenditionRequest], cache: Path) -> RenditionSet:
    made = tuple(_rendition(sheet.files[ask.key], sheet.image.format, ask, cache) for ask in wanted)
    return RenditionSet(made, sheet.width, sheet.height, sheet.colour)


def _rendition(made: RenditionFile, stored_format: str, ask: RenditionRequest, cache: Path) -> Rendition:
    is_original = ask.format == ORIGINAL
    kind = stored_format if is_original else ask.format
    return Rendition(kind, made.width, made.height, rendition_path(cache, made.name), is_original)
