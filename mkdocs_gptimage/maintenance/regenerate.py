"""Draws stored pictures anew: makes candidates, then accepts them or keeps them for a decision."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.catalog.catalog import Catalog
from mkdocs_gptimage.errors import MissingPicturesError
from mkdocs_gptimage.maintenance.candidates import CandidateSet, candidate_picture, candidates_of, take_candidate
from mkdocs_gptimage.plan.orphans import find_orphans, parse_candidate
from mkdocs_gptimage.plan.plan import make_plan
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.store.snapshot import StoreSnapshot
from mkdocs_gptimage.text import one_line_each

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from mkdocs_gptimage.catalog.catalog import Picture
    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.plan.orphans import Orphan
    from mkdocs_gptimage.plan.plan import Plan
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.store.store import Store


@dataclass(frozen=True)
class Regeneration:
    """What is to be drawn, and what becomes of it then."""

    plan: Plan
    pictures: Sequence[Picture]
    """The stored pictures that are drawn anew."""
    keeps: bool
    """Whether the candidates are kept for a later decision."""


@dataclass(frozen=True)
class RegenerationResult:
    """What became of one picture."""

    picture: Picture
    taken: Entry | None
    """The picture in its new form; None while it stays what it was."""
    waiting: Sequence[Orphan]
    """Candidates that wait for a decision."""
    gone: Sequence[Digest] = ()
    """The digests of candidates that were stored in this run, and were taken or deleted by another since."""

    @property
    def problem(self) -> str:
        """One line when there is not what was paid for; empty otherwise."""
        if not self.gone:
            return ""
        names = ", ".join(digest.short for digest in self.gone)
        return (
            f"{self.picture.where}: stored in this run and not there any more: candidate {names} for "
            f"{self.picture.spec.digest.short}; another command has taken or deleted it: look at the picture "
            "first"
        )


def prepare_regeneration(
    pictures: Sequence[Picture], store: Store, settings: Settings, count: int, *, keeps: bool
) -> Regeneration:
    """Plan so many candidates for each picture; one that is in flight since an earlier run is one of them.

    Without `keeps`, a picture that has a stored candidate already is refused with `MissingPicturesError`, as one that
    is not stored is: that candidate is paid for and not decided yet.
    """
    there = find_orphans(store, ())
    submissions = _flights(settings)
    problems, wanted = [], Catalog()
    for picture in pictures:
        known = candidates_of(picture.spec.digest, there, submissions)
        problem = _why_not(picture, known, store, keeps=keeps)
        if problem:
            problems.append(problem)
            continue
        for number in known.numbers(count):
            _enter(candidate_picture(picture, number), wanted)
    if problems:
        raise MissingPicturesError(one_line_each(problems))
    return Regeneration(make_plan(wanted, StoreSnapshot(store), settings), pictures, keeps)


def finish_regeneration(
    run: Regeneration, made: Collection[str], store: Store, cache: Path
) -> list[RegenerationResult]:
    """Take what was drawn in place of its picture, unless it is to be kept or there is a choice.

    `made` are the digests of what was stored in this run.
    """
    there = find_orphans(store, ())
    known = {orphan.digest for orphan in there}
    drawn = {row.digest: parse_candidate(row.picture.spec.canonical) for row in run.plan.rows}
    ends = []
    for picture in run.pictures:
        digest = picture.spec.digest
        waiting = [orphan for orphan in there if orphan.candidate_of == digest]
        gone = [name for name, of in drawn.items() if of and of[1] == digest and name in made and name not in known]
        taken = take_candidate(waiting.pop(), store, cache) if len(waiting) == 1 and not run.keeps else None
        ends.append(RegenerationResult(picture, taken, waiting, gone))
    return ends


def pictures_drawn_from(ends: Sequence[RegenerationResult], catalog: Catalog, store: Store) -> list[Picture]:
    """Return the stored pictures that were drawn from one which has changed since."""
    changed = {end.picture.spec.digest for end in ends if end.taken is not None}
    return [
        picture
        for digest, picture in catalog.pictures.items()
        if digest not in changed
        and any(parent.spec.digest in changed for parent in picture.parents)
        and store.entry(digest) is not None
    ]


def _flights(settings: Settings) -> list[Submission]:
    from mkdocs_gptimage.journal.journal import read_submissions  # noqa: PLC0415 - slow to import

    return list(read_submissions(settings.cache).values())


def _enter(picture: Picture, catalog: Catalog) -> None:
    """Add a picture behind those that it is drawn from, which are not shown for their own sake."""
    if picture.spec.digest in catalog.pictures:
        return
    for parent in picture.parents:
        _enter(dataclasses.replace(parent, shown_by=[], needed_by=picture.uses), catalog)
    catalog.pictures[picture.spec.digest] = picture


def _why_not(picture: Picture, known: CandidateSet, store: Store, *, keeps: bool) -> str:
    digest = picture.spec.digest
    said = f"{picture.where}: the picture {digest.short}"
    found = store.get(digest)
    if found is None:
        return f"{said} is not in the store yet; 'gptimage generate' makes it"
    if not isinstance(found, Entry):
        return f"{said} in the store is damaged: {found.reason}. {found.remedy}".rstrip(". ")
    if known.stored and not keeps:
        names = ", ".join(orphan.digest.short for _, orphan in sorted(known.stored.items()))
        return (
            f"{said} has candidates that are paid for: {names}; take one with 'gptimage regenerate --accept', delete "
            "them with '--discard', or draw one more beside them with '--keep'"
        )
    return ""
