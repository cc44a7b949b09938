"""Remembers the picture that each place of a page showed last, to show it while its block is being edited.

A place is a block with an `id`, wherever it moves on its page, or else the n-th block of its page. The memory is a
file of the cache: a server that is started again knows what the one before has shown. Losing it costs nothing else.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING

from mkdocs_gptimage.fs import atomic_write, read_regular_file
from mkdocs_gptimage.owned_folder import claim_folder
from mkdocs_gptimage.spec.digest import Digest, is_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mkdocs_gptimage.catalog.catalog import Catalog, Use
    from mkdocs_gptimage.store.entry import Entry
    from mkdocs_gptimage.store.snapshot import StoreSnapshot


FILE = "places.json"
_MOST_BYTES = 16 * 1024 * 1024


def find_previous(catalog: Catalog, snapshot: StoreSnapshot, cache: Path) -> dict[Digest, Entry]:
    """Return, by the digest of a picture that is not in the store, what its place showed before, and remember the rest.

    A picture that the site still shows elsewhere has not been replaced.
    """
    before = _read(cache)
    pages = {use.source.name for use in catalog.blocks}
    pages -= {use.source.name for use in catalog.blocks if use.parsed.spec is None}
    # Of a site in several languages, each build reads the pages of one; a block with problems may have lost its id.
    now = {place: digest for place, digest in before.items() if re.split("[#:]", place, maxsplit=1)[0] not in pages}
    previous: dict[Digest, Entry] = {}
    for place, digest in _places(catalog):
        if snapshot.entry(digest) is not None:
            now[place] = digest
            continue
        previous_digest = before.get(place)
        if previous_digest is None or previous_digest in catalog.pictures:
            continue
        now[place] = previous_digest
        if (entry := snapshot.entry(previous_digest)) is not None:
            previous.setdefault(digest, entry)
    if now != before:
        with contextlib.suppress(OSError):  # what needs the cache reports that it cannot be written to
            claim_folder(cache)
            atomic_write(cache / FILE, json.dumps(now, indent=0, sort_keys=True).encode())
    return previous


def _places(catalog: Catalog) -> Iterator[tuple[str, Digest]]:
    """Each place of the site, with the digest that it asks for."""
    counts: dict[str, int] = {}
    for use in catalog.blocks:
        page = use.source.name
        counts[page] = counts.get(page, 0) + 1
        for kind, spec in zip(("", " dark"), use.shows, strict=False):
            yield f"{_place(use, counts[page])}{kind}", spec.digest


def _place(use: Use, number: int) -> str:
    name = use.presentation.id
    return f"{use.source.name}#{name}" if name else f"{use.source.name}:{number}"


def _read(cache: Path) -> Mapping[str, Digest]:
    try:
        found = json.loads(read_regular_file(cache / FILE, _MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {place: Digest(digest) for place, digest in found.items() if isinstance(digest, str) and is_digest(digest)}
