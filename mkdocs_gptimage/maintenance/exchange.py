"""Exchanges a stored picture for one of its candidates; what was shown before stays as another candidate.

The replaced picture is stored under its new digest before its place is overwritten. So a process that dies at any
moment leaves both pictures in the store, and exchanging them again completes what was begun.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import MissingPicturesError
from mkdocs_gptimage.fs import sha256_of_file
from mkdocs_gptimage.maintenance.candidates import candidates_of, copy_to_cache, take_candidate
from mkdocs_gptimage.plan.in_flight import read_earlier
from mkdocs_gptimage.plan.orphans import Orphan, candidate_variant, find_orphans
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.spec.digest import Digest, digest_of
from mkdocs_gptimage.store.entry import Damage
from mkdocs_gptimage.store.layout import entry_path
from mkdocs_gptimage.store.record import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import Any

    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.store.entry import Entry
    from mkdocs_gptimage.store.store import Store


@dataclass(frozen=True)
class Exchange:
    """A picture that was replaced by its candidate."""

    taken: Entry
    """The candidate, now the picture itself."""
    replaced: Digest | None
    """The candidate that holds what was shown before; None if that is not known, or was the same picture."""


def exchange_candidate(candidate: Orphan, store: Store, settings: Settings) -> Exchange:
    """Replace a picture by its candidate, and keep it as another one.

    Raises `MissingPicturesError` if one of them is damaged or cannot be written, `ConfigurationError` if the journal
    cannot be used; the picture is then shown as before.
    """
    assert candidate.candidate_of is not None
    shown = store.verify(candidate.candidate_of)
    if isinstance(shown, Damage) and not _is_half_taken(candidate, store):
        raise MissingPicturesError(
            f"the picture {shown.digest.short} in the store is damaged: {shown.reason}. {shown.remedy}".rstrip(". ")
        )
    replaced = None
    if shown is not None and not isinstance(shown, Damage) and shown.image.sha256 != candidate.entry.image.sha256:
        replaced = _keep(shown, store, settings)
    return Exchange(take_candidate(candidate, store, settings.cache), replaced)


def _is_half_taken(candidate: Orphan, store: Store) -> bool:
    """Whether the candidate's bytes lie in the picture's place: its exchange was cut off before the record followed."""
    assert candidate.candidate_of is not None
    for ending in FORMATS:
        with contextlib.suppress(OSError):
            path = entry_path(store.root, candidate.candidate_of, ending)
            if sha256_of_file(path) == candidate.entry.image.sha256:
                return True
    return False


def _keep(shown: Entry, store: Store, settings: Settings) -> Digest:
    """Store a copy of a picture as its own candidate; return that one's digest."""
    stored = [orphan for orphan in find_orphans(store, ()) if orphan.candidate_of == shown.digest]
    # An exchange that was cut off has made the copy already.
    for orphan in stored:
        if orphan.entry.image.sha256 == shown.image.sha256:
            return orphan.digest
    request = store.request(shown.digest)
    if request is None:
        raise MissingPicturesError(f"the record of the picture {shown.digest.short} cannot be read")
    part = copy_to_cache(shown, settings.cache)
    try:
        return _store_copy(shown, request, part, store, settings)
    except OSError as error:
        raise_if_lacking(error, f"the picture {shown.digest.short} cannot be kept")
        raise MissingPicturesError(f"the picture {shown.digest.short} cannot be kept: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def _store_copy(shown: Entry, request: Mapping[str, Any], part: Path, store: Store, settings: Settings) -> Digest:
    from mkdocs_gptimage.journal.journal import open_journal  # noqa: PLC0415 - slow to import

    # A run that draws candidates meanwhile claims their numbers in the journal; the lock keeps it from this one.
    with open_journal(settings.journal) as journal, journal.exclusively():
        submissions = {**read_earlier(settings, [shown.digest]), **journal.submissions()}
        kept, digest = _next_candidate(shown.digest, request, store, submissions.values())
        store.put(kept, digest, part, shown.image, shown.made)
    return digest


def _next_candidate(
    of: Digest, request: Mapping[str, Any], store: Store, submissions: Iterable[Submission]
) -> tuple[Mapping[str, Any], Digest]:
    """Return the request and the digest of a candidate with a number that nothing has."""

    def numbered(number: int) -> dict[str, Any]:
        return {**request, "variant": candidate_variant(number, of)}

    candidates = candidates_of(of, find_orphans(store, ()), submissions)
    number = candidates.next_number(lambda number: store.get(digest_of(numbered(number))) is None)
    return numbered(number), digest_of(numbered(number))
