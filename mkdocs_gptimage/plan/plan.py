"""The plan: compares catalog, store and journal, and decides what to do for each picture."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import BudgetError, ConfigurationError
from mkdocs_gptimage.journal.lease import process_of
from mkdocs_gptimage.journal.snapshot import JournalSnapshot
from mkdocs_gptimage.journal.submission import is_same_service
from mkdocs_gptimage.plan.states import NEED_DECISION, State
from mkdocs_gptimage.spec.digest import Digest, digest_of
from mkdocs_gptimage.store.entry import Damage, Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from mkdocs_gptimage.catalog.catalog import Catalog, Picture
    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.settings import Budget, Settings
    from mkdocs_gptimage.store.snapshot import StoreSnapshot


@dataclass(frozen=True)
class Row:
    """The state of one picture, from which a run decides what to do."""

    picture: Picture
    state: State
    detail: str = ""
    """Why it is broken or unknown, where it is in flight, or the process that is making it."""
    price: float | None = None
    """USD that a submit would cost; None when the site sets no price for its resolution."""
    entry: Entry | None = None
    damage: Damage | None = None
    submission: Submission | None = None
    """The journal's record; with `MISSING`, the submit of unknown outcome that is to be repeated."""

    @property
    def digest(self) -> Digest:
        return self.picture.spec.digest


@dataclass(frozen=True)
class Plan:
    """What is to be done for each picture of a site."""

    all_rows: tuple[Row, ...]
    """One per picture of the catalog, in the order of the pages; parents come before their children."""
    collectable: tuple[Submission, ...] = ()
    """Submissions that can be collected from the journal alone, also those that no page needs."""
    selection: frozenset[Digest] | None = None
    """The digests that this run is limited to; None for all."""

    @functools.cached_property
    def rows(self) -> tuple[Row, ...]:
        """The pictures that a page shows, and the parents of missing ones.

        A stored picture no longer needs its parents.
        """
        needed: set[Digest] = set()
        for row in reversed(self.all_rows):
            if row.picture.is_shown or row.digest in needed:
                needed.add(row.digest)
                if row.state is State.MISSING:
                    needed.update(parent.spec.digest for parent in row.picture.parents)
        chosen = needed if self.selection is None else needed & self.selection
        return tuple(row for row in self.all_rows if row.digest in chosen)

    @functools.cached_property
    def unclaimed(self) -> tuple[Submission, ...]:
        """Submissions for pictures that no page needs any more; paid for, so they are collected too."""
        needed = {row.digest for row in self.rows}
        return tuple(submission for submission in self.collectable if submission.digest not in needed)

    def only(self, *states: State) -> list[Row]:
        return [row for row in self.rows if row.state in states]

    @property
    def blocked(self) -> list[Row]:
        """Pictures that no run makes on its own; a decision is needed."""
        return self.only(*NEED_DECISION)

    def count(self, state: State) -> int:
        return sum(row.state is state for row in self.rows)

    @property
    def is_complete(self) -> bool:
        return all(row.state is State.CACHED for row in self.rows)

    @property
    def price(self) -> float | None:
        """USD for all missing pictures; None if one has no price."""
        prices = [row.price for row in self.only(State.MISSING)]
        return None if None in prices else sum(price for price in prices if price is not None)


def decide(
    catalog: Catalog,
    snapshot: StoreSnapshot,
    journal: JournalSnapshot | None = None,
    *,
    prices: Mapping[str, float] | None = None,
    base_url: str = "",
) -> Plan:
    """Return the plan: a row with its state for every picture of the catalog.

    `prices` are USD by resolution; `base_url` is the service of this run.
    """
    journal, prices = journal or JournalSnapshot(), prices or {}

    def row(digest: Digest, picture: Picture) -> Row:
        submission, found = journal.submissions.get(digest), snapshot.get(digest)
        if submission is not None and journal.is_leased(submission) and not isinstance(found, Entry):
            return Row(picture, State.LEASED, f"process {process_of(submission.run)}", submission=submission)
        return _row(picture, found, submission, prices, base_url)

    return Plan(
        tuple(row(digest, picture) for digest, picture in catalog.pictures.items()),
        tuple(each for each in journal.submissions.values() if _can_be_collected(each, journal, base_url)),
    )


def _can_be_collected(submission: Submission, journal: JournalSnapshot, base_url: str) -> bool:
    """Whether a submission suffices to collect its picture, also if no page uses it, or to ask for it once more."""
    is_ours = is_same_service(submission.base_url, base_url) and not journal.is_leased(submission)
    return is_ours and submission.has_target and digest_of(submission.request) == submission.digest


def _row(
    picture: Picture,
    found: Entry | Damage | None,
    submission: Submission | None,
    prices: Mapping[str, float],
    base_url: str,
) -> Row:
    if isinstance(found, Entry):
        return Row(picture, State.CACHED, entry=found)
    if submission is not None and submission.base_url and not is_same_service(submission.base_url, base_url):
        return Row(picture, State.OTHER_GATEWAY, submission.base_url, submission=submission)
    if submission is not None and submission.is_collectable:
        return Row(picture, State.IN_FLIGHT, submission.task_id or "", submission=submission)
    if submission is not None:
        return Row(picture, State.UNKNOWN, why_unknown(submission), submission=submission)
    if isinstance(found, Damage):
        return Row(picture, State.BROKEN, found.reason, damage=found)
    return Row(picture, State.MISSING, price=prices.get(picture.spec.resolution))


def with_unknown_as_missing(plan: Plan, prices: Mapping[str, float]) -> Plan:
    """Return the plan that resubmits pictures of unknown outcome; rows keep their submissions."""
    rows = (
        Row(row.picture, State.MISSING, price=prices.get(row.picture.spec.resolution), submission=row.submission)
        if row.state is State.UNKNOWN
        else row
        for row in plan.all_rows
    )
    return replace(plan, all_rows=tuple(rows))


def _has_target(submission: Submission) -> bool:
    return submission.has_target


def with_denied_in_flight(plan: Plan, is_chosen: Callable[[Submission], bool] = _has_target) -> Plan:
    """Return the plan that asks once more for the pictures of unknown outcome that the service can be asked for.

    Or for those `is_chosen` chooses.
    """
    rows = (
        replace(row, state=State.IN_FLIGHT, detail=row.submission.task_id or "")
        if row.state is State.UNKNOWN and row.submission is not None and is_chosen(row.submission)
        else row
        for row in plan.all_rows
    )
    return replace(plan, all_rows=tuple(rows))


def collect_only(plan: Plan) -> Plan:
    """Return the plan that only collects, and submits nothing."""
    return replace(plan, all_rows=tuple(row for row in plan.all_rows if row.state is not State.MISSING))


def restrict_to(plan: Plan, digests: Collection[Digest]) -> Plan:
    """Return the plan that makes only these pictures; others in flight are collected too."""
    return replace(plan, selection=frozenset(digests))


def limit_to(plan: Plan, most: int) -> Plan:
    """Return the plan that submits at most `most` pictures; parents come first, and count."""
    left_out = {row.digest for row in plan.only(State.MISSING)[most:]}
    return restrict_to(plan, {row.digest for row in plan.rows} - left_out)


def why_unknown(submission: Submission) -> str:
    """When a submit was sent, and why its outcome is unknown."""
    return (
        f"submitted {submission.sent}: {submission.reason or 'the run that submitted it ended before the answer came'}"
    )


def check_budget(plan: Plan, budget: Budget) -> None:
    """Raise `BudgetError` when what is missing exceeds the budget of one run."""
    missing = plan.only(State.MISSING)
    if budget.images is not None and len(missing) > budget.images:
        raise BudgetError(
            f"{len(missing)} pictures are missing, more than the budget of {budget.images} images per run; nothing was "
            f"submitted. Raise budget.images, or remove some, the first at {missing[0].picture.where}"
        )
    if budget.usd is None or not missing:
        return
    unpriced = sorted({row.picture.spec.resolution for row in missing if row.price is None})
    if unpriced:
        raise BudgetError(
            f"budget.usd is set, but not what a picture costs: set prices.{', prices.'.join(unpriced)}; nothing was "
            "submitted"
        )
    assert plan.price is not None
    if plan.price > budget.usd:
        raise BudgetError(
            f"{len(missing)} missing pictures cost ${plan.price:.4g}, more than the budget of ${budget.usd:.4g} per "
            "run; nothing was submitted. Raise budget.usd, or remove some"
        )


def make_plan(
    catalog: Catalog,
    snapshot: StoreSnapshot,
    settings: Settings,
    *,
    include_unclaimed: bool = False,
    warn: Callable[[str], object] | None = None,
) -> Plan:
    """Plan without changing anything; reads the journal only when something is missing, or for unclaimed submissions.

    Unclaimed are submissions for pictures that no page uses any more. A journal that cannot be read raises
    `ConfigurationError`; with `warn`, for plans on which nothing is paid, it is ignored with a warning.
    """
    plan = decide(catalog, snapshot, prices=settings.prices, base_url=settings.api.base_url)
    if plan.is_complete and not include_unclaimed:
        return plan
    from mkdocs_gptimage.plan.in_flight import read_in_flight  # noqa: PLC0415 - only when something is missing

    try:
        journal = read_in_flight(settings, catalog.pictures.keys())
    except ConfigurationError as error:
        if warn is None:
            raise
        warn(f"{error}. What is in flight is shown as missing")
        return plan
    return decide(catalog, snapshot, journal, prices=settings.prices, base_url=settings.api.base_url)
