"""Candidates: pictures drawn to replace a stored one, kept beside it until one is accepted or discarded.

A candidate is an ordinary picture of the store, whose `variant` says what it may replace. So the journal, the budget
and the end of a killed process know it as they know any other, and it is paid for once.
"""

from __future__ import annotations

import dataclasses
import secrets
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.catalog.catalog import Picture
from mkdocs_gptimage.catalog.selection import complete_digest
from mkdocs_gptimage.errors import ConfigurationError, MissingPicturesError
from mkdocs_gptimage.fs import PARTS, prepare_cache, sha256_of_file
from mkdocs_gptimage.plan.orphans import candidate_variant, find_orphans, parse_candidate
from mkdocs_gptimage.spec.digest import Digest, digest_of
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.plan.orphans import Orphan
    from mkdocs_gptimage.store.store import Store


@dataclass(frozen=True)
class CandidateSet:
    """The candidates of one picture that there are, by number."""

    stored: Mapping[int, Orphan]
    in_flight: Mapping[int, Submission]
    """Submitted and not stored, whatever became of them."""

    def numbers(self, wanted: int) -> list[int]:
        """Return the numbers of so many candidates that are not stored: first those in flight, then new ones."""
        flying = sorted(self.in_flight)
        last = max([0, *self.stored, *flying])
        return flying + list(range(last + 1, last + 1 + max(0, wanted - len(flying))))


def candidates_of(digest: Digest, stored: Iterable[Orphan], submissions: Iterable[Submission]) -> CandidateSet:
    """Return the candidates of the picture with this digest."""
    landed = {found[0]: each for each in stored if (found := parse_candidate(each.request)) and found[1] == digest}
    flying = {found[0]: each for each in submissions if (found := parse_candidate(each.request)) and found[1] == digest}
    return CandidateSet(landed, {number: submission for number, submission in flying.items() if number not in landed})


def candidate_picture(original: Picture, number: int) -> Picture:
    """Return the picture that is drawn as a candidate for another: the same request under a variant of its own."""
    variant = candidate_variant(number, original.spec.digest)
    return Picture(
        dataclasses.replace(original.spec, variant=variant),
        original.parents,
        shown_by=original.uses,
        role=f"candidate {number}",
    )


def accept_candidates(names: Sequence[str], store: Store, cache: Path) -> list[Entry]:
    """Put candidates, by the beginnings of their digests, in place of their pictures; delete all others of these.

    Raises `ConfigurationError` before anything changes when a name means no candidate, or two mean the same picture.
    """
    there = [orphan for orphan in find_orphans(store, ()) if orphan.candidate_of]
    chosen = [_named(name, there) for name in names]
    if len({orphan.candidate_of for orphan in chosen}) < len(chosen):
        raise ConfigurationError("two of these are candidates for the same picture; choose one")
    entries = []
    for orphan in chosen:
        entries.append(take_candidate(orphan, store, cache))
        for other in there:
            if other.candidate_of == orphan.candidate_of and other is not orphan:
                store.remove(other.digest)
    return entries


def discard_candidates(names: Sequence[str], store: Store) -> list[Path]:
    """Delete candidates by their digests, or all of a picture by its digest; return the files that were pictures."""
    there = [orphan for orphan in find_orphans(store, ()) if orphan.candidate_of]
    chosen: dict[Digest, Orphan] = {}
    for name in names:
        whole = complete_digest(name, {orphan.candidate_of for orphan in there if orphan.candidate_of})
        found = [orphan for orphan in there if orphan.candidate_of == whole] if whole else [_named(name, there)]
        chosen |= {orphan.digest: orphan for orphan in found}
    for digest in chosen:
        store.remove(digest)
    return [orphan.entry.path for orphan in chosen.values()]


def take_candidate(orphan: Orphan, store: Store, cache: Path) -> Entry:
    """Put a candidate in place of its picture, then delete the candidate's files; a crash leaves one of the two."""
    assert orphan.candidate_of is not None
    found = store.verify(orphan.digest)
    if not isinstance(found, Entry):
        reason = found.reason if found else "it is not in the store any more"
        raise MissingPicturesError(f"the candidate {orphan.digest.short} cannot be taken: {reason}")
    request = _request_of(orphan, store)
    part = _copied(found, cache)
    try:
        entry = store.put(request, orphan.candidate_of, part, found.image, found.made)
    except OSError as error:
        raise MissingPicturesError(f"the candidate {orphan.digest.short} cannot be taken: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    store.remove(orphan.digest)
    return entry


def _request_of(orphan: Orphan, store: Store) -> Mapping[str, Any]:
    """What the picture was asked for as that a candidate replaces: by its record, else as the candidate, without."""
    digest = orphan.candidate_of
    assert digest is not None
    recorded = store.request(digest)
    if recorded is not None:
        return recorded
    request = {name: value for name, value in orphan.request.items() if name != "variant"}
    if digest_of(request) != digest:
        short = digest.short
        raise MissingPicturesError(
            f"the picture {short} has no record that says what it is; restore it from version control first"
        )
    return request


def _copied(entry: Entry, cache: Path) -> Path:
    part = cache / PARTS / f"{entry.digest}-{secrets.token_hex(8)}"
    try:
        prepare_cache(cache)
        part.parent.mkdir(exist_ok=True)
        shutil.copyfile(entry.path, part)
        if sha256_of_file(part) == entry.image.sha256:
            return part
        reason = "it changes while it is read"
    except OSError as error:
        reason = f"{error.strerror or error}, in the cache '{part.parent}'"
    part.unlink(missing_ok=True)
    raise MissingPicturesError(f"the candidate {entry.digest.short} cannot be taken: {reason}")


def _named(name: str, there: Sequence[Orphan]) -> Orphan:
    digest = complete_digest(name, [orphan.digest for orphan in there])
    found = next((orphan for orphan in there if orphan.digest == digest), None)
    if found is None:
        known_ones = ", ".join(orphan.digest.short for orphan in there) or "there are none"
        raise ConfigurationError(f"{quote(name)}: expected the digest of a candidate: {known_ones}")
    return found
