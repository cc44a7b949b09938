"""The items of the gallery: every picture of a site, its status, and what it replaces."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.catalog.mention import UseById
from mkdocs_gptimage.plan import states
from mkdocs_gptimage.plan.orphans import parse_candidate
from mkdocs_gptimage.plan.states import State

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
    """The status of an item, in the order of the page's filters; the words are those of `plan.states`."""

    USED = State.CACHED.traits.gallery
    MISSING = State.MISSING.traits.gallery
    IN_FLIGHT = State.IN_FLIGHT.traits.gallery
    UNKNOWN = State.UNKNOWN.traits.gallery
    BROKEN = State.BROKEN.traits.gallery
    OUTDATED = states.OUTDATED
    CANDIDATE = states.CANDIDATE
    ORPHANED = states.ORPHANED


def status_words() -> dict[str, str]:
    """Return the words in place of an image by status, in the order of the filters; empty for stored pictures."""
    words = {state.traits.gallery: state.traits.card for state in reversed(State) if state is not State.CACHED}
    return {status.value: words.get(status.value, "") for status in Status}


@dataclass(frozen=True)
class UseLocation:
    """Where a page uses a picture."""

    page: str
    """The name of its file, as messages show it."""
    line: int | None
    """Of the opening fence; None for a block that was included or made by a macro."""
    role: str = ""
    """`dark`, `reference` or `by id`; empty for the picture that a block describes."""
    anchor: str | None = None
    """The id of the figure."""


@dataclass(frozen=True)
class GalleryItem:
    """One picture."""

    digest: Digest
    status: Status
    request: Mapping[str, Any]
    """The canonical form of its request; empty if a damaged journal lacks it."""
    places: tuple[UseLocation, ...] = ()
    entry: Entry | None = None
    price: float | None = None
    """USD that generating it would cost; None if it costs nothing or the site sets no price."""
    detail: str = ""
    """Why it is broken or unknown, or where it is in flight."""
    of: str | None = None
    """The digest of the picture that it may replace, as a candidate, or that has replaced it."""
    number: int = 0
    """The number of a candidate, from 1; 0 if it is none."""
    pixels: tuple[int, int] = (1, 1)
    """The expected (width, height), or only their ratio."""

    @property
    def ratio(self) -> float:
        """Width divided by height, of the stored picture or else the expected one."""
        width, height = (self.entry.image.width, self.entry.image.height) if self.entry else self.pixels
        return width / height


def gallery_items(status: SiteStatus, mentions: Mapping[Digest, Sequence[Mention]] | None = None) -> list[GalleryItem]:
    """Return all items in page order; candidates and replaced pictures follow their picture, the rest comes last.

    `mentions` are the uses of pictures by id, by digest.
    """
    plan = status.plan
    needed = {row.digest for row in plan.rows}
    by_ids = mentions or {}
    shown = [
        _of_row(row, status, by_ids.get(row.digest, ()))
        for row in plan.all_rows
        if row.digest in needed or row.entry is not None
    ]
    replaced_by = {orphan.digest: digest for digest, orphan in status.replaced.items()}
    others = [_of_orphan(orphan, status, replaced_by.get(orphan.digest)) for orphan in status.orphans]
    submitted = [_of_submission(submission) for submission in plan.unclaimed]
    return _grouped(shown, sorted([*others, *submitted], key=lambda each: (each.number, each.digest)))


def limit_items(found: Sequence[GalleryItem], most: int) -> list[GalleryItem]:
    """Leave out the oldest stored pictures beyond `most`, orphans first; keep the order and all that is not stored."""
    stored = [each for each in found if each.entry is not None]
    ranked = sorted(stored, key=_rank, reverse=True)
    left_out = {each.digest for each in ranked[most:]}
    return [each for each in found if each.digest not in left_out]


def _rank(item: GalleryItem) -> tuple[bool, str]:
    return item.status is not Status.ORPHANED, item.entry.made.at if item.entry else ""


def mark_damaged(item: GalleryItem, reason: str) -> GalleryItem:
    """Return the item of a stored picture whose bytes do not match its record."""
    return replace(item, status=Status.BROKEN, entry=None, detail=reason)


def _grouped(shown: Sequence[GalleryItem], others: Sequence[GalleryItem]) -> list[GalleryItem]:
    digests = {each.digest for each in shown}
    beside: dict[str, list[GalleryItem]] = {}
    for each in others:
        if each.of in digests:
            beside.setdefault(each.of or "", []).append(each)
    grouped = [member for each in shown for member in (each, *beside.get(each.digest, ()))]
    return [*grouped, *(each for each in others if each.of not in digests)]


def _of_row(row: Row, status: SiteStatus, mentions: Sequence[Mention]) -> GalleryItem:
    picture = row.picture
    places = [_place(use, picture) for use in picture.uses]
    places += [UseLocation(mention.page, mention.line, BY_ID) for mention in mentions]
    changed = status.changed(row)
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


def _of_orphan(orphan: Orphan, status: SiteStatus, replaced_by: str | None) -> GalleryItem:
    number, of = parse_candidate(orphan.request) or (0, replaced_by)
    state = Status(status.state_of_orphan(orphan))
    return GalleryItem(orphan.digest, state, orphan.request, entry=orphan.entry, of=of, number=number)


def _of_submission(submission: Submission) -> GalleryItem:
    """The item of a picture that is in flight, and that no page uses any more."""
    number, of = parse_candidate(submission.request) or (0, None)
    detail = f"requested at {submission.where}" if submission.where else ""
    return GalleryItem(submission.digest, Status.IN_FLIGHT, submission.request, detail=detail, of=of, number=number)
