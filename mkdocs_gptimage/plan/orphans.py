"""Orphans: stored pictures that no page uses, candidates included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.store.interrupted import split_candidate_variant

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.store.entry import Entry
    from mkdocs_gptimage.store.store import Store


@dataclass(frozen=True)
class Orphan:
    """An intact picture in the store that the site does not need."""

    entry: Entry
    request: Mapping[str, Any]
    """The canonical form of its request."""

    @property
    def digest(self) -> Digest:
        return self.entry.digest

    @property
    def candidate_of(self) -> Digest | None:
        """The digest of the picture that this candidate may replace; None if it is no candidate."""
        found = parse_candidate(self.request)
        return found[1] if found else None


def find_orphans(store: Store, needed: Collection[Digest]) -> list[Orphan]:
    """Return the stored pictures whose digest is not in `needed`, by digest; damaged ones are left out.

    `needed` are the digests of the site's catalog, `Catalog.pictures`: the parents of a stored picture are in it too.
    """
    found = []
    for digest in store.digests():
        entry = None if digest in needed else store.entry(digest)
        if entry is not None and (request := store.request(digest)) is not None:
            found.append(Orphan(entry, request))
    return found


def parse_candidate(request: Mapping[str, Any]) -> tuple[int, Digest] | None:
    """Return (number, digest of the picture that it may replace) of a candidate's request; None for another's."""
    return split_candidate_variant(str(request.get("variant", "")))


def candidate_variant(number: int, digest: Digest) -> str:
    """Return the `variant` of the candidate with this number, from 1, for a stored picture."""
    return f"candidate {number} of {digest}"
