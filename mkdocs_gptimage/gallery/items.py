"""The items of the gallery: every picture of a site, its status, and what it replaces."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.catalog.mention import UseById
from mkdocs_gptimage.plan.orphans import parse_candidate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mkdocs_gptimage.catalog.catalog import Picture, Use
    from mkdocs_gptimage.catalog.mention import Mention
    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.plan.orphans import Orphan
    from mkdocs_gptimage.plan.plan import Row
    from mkdocs_gptimage.plan.status import SiteStatus
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.store.entry import Entry


BY_ID = "by id"


class Status(enum.Enum):
    USED = "used"
    MISSING = "missing"
    IN_FLIGHT = "in flight"
    UNKNOWN = "unknown"
    """Submitted, with an unknown outcome."""
    BROKEN = "broken"
    OUTDATED = "outdated"
    """Stored, and what a block showed before it was edited."""
    CANDIDATE = "candidate"
    """Stored, and drawn to replace another one."""
    ORPHANED = "orphaned"
    """Stored, and nothing asks for it."""


@dataclass(frozen=True)
class UseLocation:
    """Where a page asks for a picture."""

    page: str
    """The name of its file, as messages show it."""
    line: int | None
    """Of the opening fence; None for a block that was included or made by a macro."""
    role: str = ""
    """What the picture is there, unless it is what a block describes: `dark`, `reference`, or shown `by id`."""
    anchor: str | None = None
    """The id of the figure."""


@dataclass(frozen=True)
class GalleryItem:
    """One picture."""

    digest: Digest
    status: Status
    request: Mapping[str, Any]
    """The canonical form of what was asked for; empty where a damaged journal does not tell."""
    places: tuple[UseLocation, ...] = ()
    entry: Entry | None = None
    price: float | None = None
    """USD that drawing it would cost, as far as the site says."""
    detail: str = ""
    """Why it is broken or unknown, or where it is in flight."""
    of: str | None = None
    """The digest of the picture that it may replace, as a candidate, or that has replaced it."""
    number: int = 0
    """Counts the candidates of a picture from 1; 0 for what is none."""
    pixels: tuple[int, int] = (1, 1)
    """(width, height), or a shape, that the picture is expected to have."""

    @property
    def ratio(self) -> float:
        """The width by the height, of the picture that is there or of the one that is expected."""
        width, height = (self.entry.image.width, self.entry.image.height) if self.entry else self.pixels
        return width / height


def gallery_items(survey: SiteStatus, mentions: Mapping[Digest, Sequence[Mention]] | None = None) -> list[GalleryItem]:
    """Return what there is, in the order of the pages; what belongs to a picture stands behind it, the rest last.

    `mentions` are the places that show a picture by its id, by digest.
    """
    plan = survey.plan
    needed = {row.digest for row in plan.rows}
    by_ids = mentions or {}
    shown = [
        _of_row(row, survey, by_ids.get(row.digest, ()))
        for row in plan.all_rows
        if row.digest in needed or row.entry is not None
    ]
    replaced_by = {orphan.digest: digest for digest, orphan in survey.replaced.items()}
    others = [_of_orphan(orphan, survey, replaced_by.get(orphan.digest)) for orphan in survey.orphans]
    flown = [_of_submission(submission) for submission in plan.unclaimed]
    return _grouped(shown, sorted([*others, *flown], key=lambda each: (each.number, each.digest)))


def mark_damaged(item: GalleryItem, reason: str) -> GalleryItem:
    """Return the item of a stored picture whose bytes turn out not to be those of its record."""
    return replace(item, status=Status.BROKEN, entry=None, detail=reason)


def _grouped(shown: Sequence[GalleryItem], others: Sequence[GalleryItem]) -> list[GalleryItem]:
    known = {each.digest for each in shown}
    beside: dict[str, list[GalleryItem]] = {}
    for each in others:
        if each.of in known:
            beside.setdefault(each.of or "", []).append(each)
    grouped = [member for each in shown for member in (each, *beside.get(each.digest, ()))]
    return [*grouped, *(each for each in others if each.of not in known)]


def _of_row(row: Row, survey: SiteStatus, mentions: Sequence[Mention]) -> GalleryItem:
    picture = row.picture
    places = [_place(use, picture) for use in picture.uses]
    places += [UseLocation(mention.page, mention.line, BY_ID) for mention in mentions]
    changed = survey.changed(row)
    return GalleryItem(
        row.digest,
        Status(row.state.traits.gallery),
        picture.spec.canonical,
        tuple(dict.fromkeys(places)),
        row.entry,
        row.price,
        row.detail or (f"changed: {', '.join(changed)}" if changed else ""),
        pixels=picture.spec.pixels,
    )


def _place(use: Use, picture: Picture) -> UseLocation:
    if isinstance(use, UseById):
        return UseLocation(use.source.name, use.line, BY_ID)
    role = ""
    if use.parsed.spec is None or use.parsed.spec.digest != picture.spec.digest:
        role = "dark" if picture.is_shown else "reference"
    return UseLocation(use.source.name, use.line, role, None if role else use.presentation.id)


def _of_orphan(orphan: Orphan, survey: SiteStatus, replaced_by: str | None) -> GalleryItem:
    number, of = parse_candidate(orphan.request) or (0, replaced_by)
    status = Status(survey.state_of_orphan(orphan))
    return GalleryItem(orphan.digest, status, orphan.request, entry=orphan.entry, of=of, number=number)


def _of_submission(submission: Submission) -> GalleryItem:
    """A picture that is paid for and on its way, and that no page asks for any more."""
    number, of = parse_candidate(submission.request) or (0, None)
    asked = f"asked for at {submission.where}" if submission.where else ""
    return GalleryItem(submission.digest, Status.IN_FLIGHT, submission.request, detail=asked, of=of, number=number)
