"""Draws stored pictures anew: makes candidates, then accepts them or keeps them for a decision."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.catalog.catalog import Catalog
from mkdocs_gptimage.errors import MissingPicturesError
from mkdocs_gptimage.maintenance.candidates import CandidateSet, candidate_picture, candidates_of, take_candidate
from mkdocs_gptimage.plan.orphans import find_orphans, parse_candidate
from mkdocs_gptimage.plan.plan import make_plan
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.store.snapshot import StoreSnapshot
from mkdocs_gptimage.store.store import Store
from mkdocs_gptimage.text import one_line_each

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from mkdocs_gptimage.catalog.catalog import Picture
    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.plan.orphans import Orphan
    from mkdocs_gptimage.plan.plan import Plan
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest


@dataclass(frozen=True)
class Regeneration:
    """The plan of candidates for some pictures."""

    plan: Plan
    pictures: Sequence[Picture]
    """The stored pictures that are drawn anew."""
    keeps: bool
    """Whether the candidates are kept for a later decision."""
    shown: Mapping[Digest, Entry | None]
    """Each picture as it was when this was planned."""
    folder: Path
    """The store."""

    def objection(self, request: Mapping[str, Any]) -> str:
        """Why the candidate of this request must not be paid for: its picture was replaced since the plan."""
        candidate = parse_candidate(request)
        if candidate is None or candidate[1] not in self.shown:
            return ""
        if Store(self.folder).entry(candidate[1]) == self.shown[candidate[1]]:
            return ""
        return f"the picture {candidate[1].short} has been replaced meanwhile; nothing is paid, look at it first"


@dataclass(frozen=True)
class RegenerationResult:
    """The outcome for one picture."""

    picture: Picture
    taken: Entry | None
    """The accepted candidate, now the picture itself; None if the picture is unchanged."""
    waiting: Sequence[Orphan]
    """Candidates that wait for a decision."""
    gone: Sequence[Digest] = ()
    """The digests of candidates that this run stored and another command has taken or deleted since."""

    @property
    def problem(self) -> str:
        """One line if a paid candidate is gone; empty otherwise."""
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
    """Plan `count` candidates for each picture, including those in flight from an earlier run.

    Raises `MissingPicturesError` for a picture that is not stored or, without `keeps`, that has a stored candidate,
    which is paid for and waits for a decision.
    """
    there = find_orphans(store, ())
    submissions = _submissions(settings, [picture.spec.digest for picture in pictures])
    problems, wanted = [], Catalog()
    for picture in pictures:
        candidates = candidates_of(picture.spec.digest, there, submissions)
        problem = _why_not(picture, candidates, store, keeps=keeps)
        if problem:
            problems.append(problem)
            continue
        for number in candidates.numbers(count, functools.partial(_is_free, picture, store)):
            _add_after_parents(candidate_picture(picture, number), wanted)
    if problems:
        raise MissingPicturesError(one_line_each(problems))
    shown = {picture.spec.digest: store.entry(picture.spec.digest) for picture in pictures}
    return Regeneration(make_plan(wanted, StoreSnapshot(store), settings), pictures, keeps, shown, store.root)


def finish_regeneration(
    run: Regeneration, made: Collection[str], store: Store, cache: Path
) -> list[RegenerationResult]:
    """Replace each picture by its candidate, unless candidates are kept or there are several.

    `made` are the digests that were stored in this run.
    """
    there = find_orphans(store, ())
    present = {orphan.digest for orphan in there}
    drawn = {row.digest: parse_candidate(row.picture.spec.canonical) for row in run.plan.rows}
    results = []
    for picture in run.pictures:
        digest = picture.spec.digest
        waiting = [orphan for orphan in there if orphan.candidate_of == digest]
        gone = [name for name, of in drawn.items() if of and of[1] == digest and name in made and name not in present]
        taken = take_candidate(waiting.pop(), store, cache) if len(waiting) == 1 and not run.keeps else None
        results.append(RegenerationResult(picture, taken, waiting, gone))
    return results


def pictures_drawn_from(results: Sequence[RegenerationResult], catalog: Catalog, store: Store) -> list[Picture]:
    """Return the stored pictures that were drawn from a picture replaced by `results`."""
    changed = {each.picture.spec.digest for each in results if each.taken is not None}
    return [
        picture
        for digest, picture in catalog.pictures.items()
        if digest not in changed
        and any(parent.spec.digest in changed for parent in picture.parents)
        and store.entry(digest) is not None
    ]


def _submissions(settings: Settings, digests: Collection[Digest]) -> list[Submission]:
    from mkdocs_gptimage.journal.journal import read_submissions  # noqa: PLC0415 - slow to import
    from mkdocs_gptimage.plan.in_flight import read_earlier, read_others  # noqa: PLC0415 - as above

    others = {digest: each.submission for digest, each in read_others(settings, digests).items()}
    return list({**others, **read_earlier(settings, digests), **read_submissions(settings.journal)}.values())


def _is_free(picture: Picture, store: Store, number: int) -> bool:
    return store.get(candidate_picture(picture, number).spec.digest) is None


def _add_after_parents(picture: Picture, catalog: Catalog) -> None:
    """Add a picture to a catalog after its parents, which count as needed but not shown."""
    if picture.spec.digest in catalog.pictures:
        return
    for parent in picture.parents:
        _add_after_parents(dataclasses.replace(parent, shown_by=[], needed_by=picture.uses), catalog)
    catalog.pictures[picture.spec.digest] = picture


def _why_not(picture: Picture, candidates: CandidateSet, store: Store, *, keeps: bool) -> str:
    digest = picture.spec.digest
    subject = f"{picture.where}: the picture {digest.short}"
    found = store.get(digest)
    if found is None:
        return f"{subject} is not in the store yet; 'gptimage generate' makes it"
    if not isinstance(found, Entry):
        return f"{subject} in the store is damaged: {found.reason}. {found.remedy}".rstrip(". ")
    if candidates.stored and not keeps:
        names = ", ".join(orphan.digest.short for _, orphan in sorted(candidates.stored.items()))
        return (
            f"{subject} has candidates that are paid for: {names}; take one with 'gptimage regenerate --accept', "
            "delete them with '--discard', or draw one more beside them with '--keep'"
        )
    return ""
