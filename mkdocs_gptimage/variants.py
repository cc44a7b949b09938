"""The web versions of stored pictures: made once, kept in the cache, listed on a sheet that later builds trust."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import regular, sheets
from .store import Damage, damaged

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from .settings import Output
    from .store import Entry


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
class Derived:
    """All files of a picture that a site shows."""

    renditions: tuple[Rendition, ...]
    """Grouped by format in the order of the site's; widths rising. An original that is only linked to comes last."""
    width: int
    """Pixels of the picture, as the height, when it stands upright."""
    height: int
    colour: str
    """`#rrggbb`, the dominant one, for the time while it loads; empty for a picture that something shines through."""


def derive(
    entries: Sequence[Entry], output: Output, cache: Path, *, originals: Collection[str] = ()
) -> dict[str, Derived | Damage]:
    """Return the files of each picture, by digest, or what is wrong with its bytes; makes those that are not there.

    `originals` are the digests whose original is wanted beside what the site's formats ask for. Raises `OSError` where
    the cache cannot be written to, and `ConfigurationError` for a format that this Pillow cannot write.
    """
    found: dict[str, Derived | Damage] = {}
    cold: dict[str, Entry] = {}
    for entry in entries:
        known = _known(entry, output, cache, original=entry.digest in originals)
        if known is None:
            cold[entry.digest] = entry
        else:
            found[entry.digest] = known
    if cold:
        from . import derivation  # noqa: PLC0415 - loads Pillow, which a warm build does not need

        made = derivation.make(list(cold.values()), output, cache, originals)
        found |= {
            digest: each
            if isinstance(each, Damage)
            else _derived(each, sheets.asks(each.width, output, original=digest in originals), cache)
            for digest, each in made.items()
        }
    return {entry.digest: found[entry.digest] for entry in entries}


def _known(entry: Entry, output: Output, cache: Path, *, original: bool) -> Derived | Damage | None:
    """What the picture's sheet says, as far as that can be believed."""
    sheet = sheets.read(cache, entry)
    if sheet is None:
        return None
    try:
        status = regular.status(entry.path)
    except OSError as error:
        return damaged(entry.digest, entry.path, error)
    if sheets.changed(status) != sheet.changed:
        return None
    wanted = sheets.asks(sheet.width, output, original=original)
    for ask in wanted:
        made = sheet.files.get(ask.key)
        if made is None or not sheets.is_whole(cache, made):
            return None
    return _derived(sheet, wanted, cache)


def _derived(sheet: sheets.Sheet, wanted: Sequence[sheets.Ask], cache: Path) -> Derived:
    made = tuple(_rendition(sheet.files[ask.key], sheet.image.format, ask, cache) for ask in wanted)
    return Derived(made, sheet.width, sheet.height, sheet.colour)


def _rendition(made: sheets.File, stored_format: str, ask: sheets.Ask, cache: Path) -> Rendition:
    is_original = ask.format == sheets.ORIGINAL
    kind = stored_format if is_original else ask.format
    return Rendition(kind, made.width, made.height, sheets.file(cache, made.name), is_original)
