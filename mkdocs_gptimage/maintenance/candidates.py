"""Candidates: pictures drawn to replace a stored one, kept beside it until one is accepted or discarded.

A candidate is an ordinary picture of the store, whose `variant` says what it may replace. So the journal, the budget
and the recovery after a crash treat it like any other, and it is paid for once.
"""

from __future__ import annotations

import dataclasses
import itertools
import secrets
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.catalog.catalog import Picture
from mkdocs_gptimage.catalog.selection import complete_digest
from mkdocs_gptimage.errors import ConfigurationError, MissingPicturesError
from mkdocs_gptimage.fs import sha256_of_file
from mkdocs_gptimage.owned_folder import PARTS, make_subfolder
from mkdocs_gptimage.plan.orphans import candidate_variant, find_orphans, parse_candidate
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.spec.digest import Digest, digest_of
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.plan.orphans import Orphan
    from mkdocs_gptimage.store.store import Store


@dataclass(frozen=True)
class CandidateSet:
    """The existing candidates of one picture, by number."""

    stored: Mapping[int, Orphan]
    in_flight: Mapping[int, Submission]
    """Submitted and not stored, also with an unknown outcome."""

    def numbers(self, wanted: int, is_free: Callable[[int], bool] = lambda _: True) -> list[int]:
        """Return the numbers of candidates to make: all in flight, then new ones up to `wanted`.

        `is_free` tells whether nothing is in the store under a number: a run may have been killed as it deleted one.
        """
        in_flight = sorted(self.in_flight)
        return in_flight + list(itertools.islice(self._new(is_free), max(0, wanted - len(in_flight))))

    def next_number(self, is_free: Callable[[int], bool]) -> int:
        """Return a number that no candidate has; `is_free` as above."""
        return next(self._new(is_free))

    def _new(self, is_free: Callable[[int], bool]) -> Iterator[int]:
        return filter(is_free, itertools.count(max([0, *self.stored, *self.in_flight]) + 1))


def candidates_of(digest: Digest, stored: Iterable[Orphan], submissions: Iterable[Submission]) -> CandidateSet:
    """Return the candidates of the picture with this digest."""
    finished = {found[0]: each for each in stored if (found := parse_candidate(each.request)) and found[1] == digest}
    submitted = {
        found[0]: each for each in submissions if (found := parse_candidate(each.request)) and found[1] == digest
    }
    return CandidateSet(finished, {number: each for number, each in submitted.items() if number not in finished})


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
    """Replace pictures by their candidates, given as digest prefixes; delete their other candidates.

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
    """Delete candidates by digest prefix, or all of a picture by its own; return the paths of the deleted images."""
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
    """Replace a picture by its candidate, then delete the candidate; a crash leaves one of them intact."""
    assert orphan.candidate_of is not None
    found = store.verify(orphan.digest)
    if not isinstance(found, Entry):
        reason = found.reason if found else "it is not in the store any more"
        raise MissingPicturesError(f"the candidate {orphan.digest.short} cannot be taken: {reason}")
    request = _request_of(orphan, store)
    part = copy_to_cache(found, cache)
    try:
        entry = store.put(request, orphan.candidate_of, part, found.image, found.made)
    except OSError as error:
        raise_if_lacking(error, f"the candidate {orphan.digest.short} cannot be taken")
        raise MissingPicturesError(f"the candidate {orphan.digest.short} cannot be taken: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    store.remove(orphan.digest)
    return entry


def _request_of(orphan: Orphan, store: Store) -> Mapping[str, Any]:
    """The request of the picture that a candidate replaces: from its record, else the candidate's without `variant`."""
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


def copy_to_cache(entry: Entry, cache: Path) -> Path:
    """Copy a stored picture into the cache, as a file that can be moved; raise `MissingPicturesError`."""
    part = cache / PARTS / f"{entry.digest}-{secrets.token_hex(8)}"
    try:
        make_subfolder(cache, PARTS)
        shutil.copyfile(entry.path, part)
        if sha256_of_file(part) == entry.image.sha256:
            return part
        reason = "it changes while it is read"
    except OSError as error:
        part.unlink(missing_ok=True)
        raise_if_lacking(error, f"the picture {entry.digest.short} cannot be copied")
        reason = f"{error.strerror or error}, in the cache '{part.parent}'"
    part.unlink(missing_ok=True)
    raise MissingPicturesError(f"the picture {entry.digest.short} cannot be copied: {reason}")


def _named(name: str, there: Sequence[Orphan]) -> Orphan:
    digest = complete_digest(name, [orphan.digest for orphan in there])
    found = next((orphan for orphan in there if orphan.digest == digest), None)
    if found is None:
        expected = ", ".join(orphan.digest.short for orphan in there) or "there are none"
        raise ConfigurationError(f"{quote(name)}: expected the digest of a candidate: {expected}")
    return found
