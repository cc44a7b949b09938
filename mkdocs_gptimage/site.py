"""What a site shows when its pictures are made: the files, their names, and what is said about the rest."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from . import cache_folder, production, publishing, variants
from .errors import ConfigurationError, GenerationError, one_line_each
from .planning import Row, State
from .reading import PLACEHOLDER_FORMAT
from .shown import File, Shown, file_name
from .spec import SHORT_DIGEST
from .store import Damage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from .production import Result
    from .settings import Settings
    from .store import Entry
    from .variants import Derived


@dataclass(frozen=True)
class Delivery:
    """What goes into the site."""

    files: list[tuple[str, str]]
    """(path of the file in the cache, its name in the assets folder)"""
    shown: dict[str, Shown]
    """By digest."""


@dataclass(frozen=True)
class Desk:
    """What a development server adds to pictures that are not there."""

    card: Callable[[Row], dict[str, Any]]
    """What the page says of one, for the script that offers to make it."""
    formers: Mapping[str, Entry]
    """By digest, what is shown in its place: what its block showed before it was edited."""


def deliver(  # noqa: PLR0913 - the world is passed in
    result: Result,
    settings: Settings,
    log: logging.Logger,
    *,
    accept_missing: bool,
    originals: Collection[str] = (),
    desk: Desk | None = None,
) -> Delivery:
    """Prepare the files of a site; raise `GenerationError` when pictures are missing and that is not accepted.

    `originals` are the digests of pictures that are published as they were stored as well. With a `desk`, missing
    pictures are accepted, and pages offer to make them.
    """
    try:
        return _deliver(result, settings, log, originals, desk, accept_missing=accept_missing)
    except OSError as error:
        # A build without a cache would have to link the site to the store, which whoever edits the site would damage.
        raise ConfigurationError(
            f"the cache '{settings.cache}' cannot be written to: {error.strerror or error}; make room or change "
            "permissions, or set 'cache' to another folder"
        ) from error


def require(result: Result) -> None:
    """Raise `GenerationError` when a run left a picture unmade."""
    if result.problems:
        raise GenerationError(_explain(result.problems, result))


def _deliver(  # noqa: PLR0913 - the world is passed in
    result: Result,
    settings: Settings,
    log: logging.Logger,
    originals: Collection[str],
    desk: Desk | None,
    *,
    accept_missing: bool,
) -> Delivery:
    cache_folder.sweep(settings.cache)
    delivery = Delivery([], {})
    made = {outcome.digest: outcome.entry for outcome in result.outcomes}
    rows = [row for row in result.plan.rows if row.picture.is_shown]
    entries = {row.digest: entry for row in rows if (entry := row.entry or made.get(row.digest)) is not None}
    linked = {row.digest for row in rows if any(use.presentation.link for use in row.picture.shown_by)}
    formers = desk.formers if desk else {}
    derived = variants.derive(
        [*entries.values(), *{entry.digest: entry for entry in formers.values()}.values()],
        settings.output,
        settings.cache,
        originals=linked.union(originals),
    )
    problems = result.problems
    for row in rows:
        found, told = derived.get(row.digest), row
        if found is not None and not isinstance(found, Damage):
            delivery.shown[row.digest] = _shown(row.picture.spec.stem, found, settings, delivery)
            continue
        if found is not None:
            told = Row(row.picture, State.BROKEN, found.reason, damage=found)
            problems.append(production.describe(told))
        former = derived.get(formers[row.digest].digest) if row.digest in formers else None
        if former is None or isinstance(former, Damage):
            _show_card(row, settings, delivery)
        else:
            stem = f"outdated-{formers[row.digest].digest[:SHORT_DIGEST]}"
            delivery.shown[row.digest] = _shown(stem, former, settings, delivery)
        if desk is not None:
            card = {**desk.card(told), "outdated": row.digest in formers}
            delivery.shown[row.digest] = replace(delivery.shown[row.digest], card=card)
    _say(result, settings, log)
    if desk is not None:
        _offer(result, problems, log)
    elif accept_missing:
        _warn(result, problems, log)
    elif problems:
        raise GenerationError(_explain(problems, result))
    return delivery


def _shown(stem: str, derived: Derived, settings: Settings, delivery: Delivery) -> Shown:
    """Add the files of a picture, and return what is shown of it."""
    formats: dict[str, list[File]] = {}
    original = ""
    for each in derived.renditions:
        name = file_name(stem, each.format, None if each.is_original else each.width)
        delivery.files.append((each.path, name))
        if each.is_original:
            original = name
        if not each.is_original or "original" in settings.output.formats:
            key = "original" if each.is_original else each.format
            formats.setdefault(key, []).append(File(name, each.width, each.format))
    groups = tuple(tuple(formats[key]) for key in settings.output.formats)
    return Shown(derived.width, derived.height, groups, derived.colour, original)


def _show_card(row: Row, settings: Settings, delivery: Delivery) -> None:
    """Add the card that stands in for a picture."""
    spec = row.picture.spec
    card = publishing.placeholder(spec, _NOTES.get(row.state, "damaged"), settings.cache)
    name = file_name(spec.stem, PLACEHOLDER_FORMAT)
    delivery.files.append((os.fspath(card), name))
    delivery.shown[row.digest] = Shown(*spec.pixels, ((File(name, spec.pixels[0], PLACEHOLDER_FORMAT),),))


_NOTES = {
    State.MISSING: "not generated yet",
    State.IN_FLIGHT: "being generated",
    State.IN_HAND: "being generated",
    State.BROKEN: "damaged in the store",
    State.UNKNOWN: "outcome unknown",
}


def _say(result: Result, settings: Settings, log: logging.Logger) -> None:
    if result.outcomes:
        from . import progress  # noqa: PLC0415 - only when something was made

        log.info(progress.summary(result.plan, result.outcomes))
    elif result.plan.rows:
        count = result.plan.count(State.CACHED)
        log.debug("%d of %d pictures are in the store", count, len(result.plan.rows))
    emulated = production.emulated_elsewhere(result.plan, settings)
    if emulated:
        log.warning(
            "%d of the pictures were drawn by the emulator, the first at %s; delete them from the store to have them "
            "made by %s",
            len(emulated),
            emulated[0].picture.where,
            settings.api.base_url,
        )


def _offer(result: Result, problems: list[str], log: logging.Logger) -> None:
    """What can be asked for in the browser is no reason for a warning; the rest is."""
    count = len(result.plan.only(State.MISSING))
    if count:
        them = "it is a card with a button" if count == 1 else "they are cards with buttons"
        log.info("%s not in the store; %s", "1 picture is" if count == 1 else f"{count} pictures are", them)
    told = {production.describe(row) for row in result.plan.only(State.UNKNOWN, State.ELSEWHERE)}
    for problem in problems:
        # The cards of these say what they are, and a strict server is to start all the same.
        log.log(logging.INFO if problem in told else logging.WARNING, "%s", one_line_each([problem]))


def _warn(result: Result, problems: list[str], log: logging.Logger) -> None:
    for row in result.plan.only(State.MISSING, State.IN_FLIGHT, State.IN_HAND):
        log.warning(
            "%s: shows a placeholder: the picture %s is %s", row.picture.where, row.digest[:12], row.state.value
        )
    for problem in problems:
        log.warning("%s", one_line_each([problem]))


def _explain(problems: list[str], result: Result) -> str:
    from . import progress  # noqa: PLC0415 - only for a run that failed

    head = f"{len(problems)} of {len(result.plan.rows)} pictures are not there:"
    return "\n".join(filter(None, [head, one_line_each(problems), progress.advice(result.outcomes)]))
