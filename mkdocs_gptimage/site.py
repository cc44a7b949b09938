"""What a site shows when its pictures are made: the files, their names, and what is said about the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import cache_folder, production, publishing
from .errors import ConfigurationError, GenerationError, one_line_each
from .planning import Row, State
from .reading import PLACEHOLDER_FORMAT, Shown
from .store import Damage, Entry

if TYPE_CHECKING:
    import logging
    from pathlib import Path

    from .production import Result
    from .settings import Settings


@dataclass(frozen=True)
class Delivery:
    """What goes into the site."""

    files: list[tuple[Path, str]]
    """(file of the cache, its name in the assets folder)"""
    shown: dict[str, Shown]
    """By digest."""


def deliver(result: Result, settings: Settings, log: logging.Logger, *, accept_missing: bool) -> Delivery:
    """Prepare the files of a site; raise `GenerationError` when pictures are missing and that is not accepted."""
    try:
        return _deliver(result, settings, log, accept_missing=accept_missing)
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


def _deliver(result: Result, settings: Settings, log: logging.Logger, *, accept_missing: bool) -> Delivery:
    cache_folder.sweep(settings.cache)
    delivery = Delivery([], {})
    made = {outcome.digest: outcome.entry for outcome in result.outcomes}
    problems = result.problems
    for row in result.plan.rows:
        entry = row.entry or made.get(row.digest)
        problem = _show(row, entry, settings, delivery)
        if problem:
            problems.append(problem)
    _say(result, settings, log)
    if accept_missing:
        _warn(result, problems, log)
    elif problems:
        raise GenerationError(_explain(problems, result))
    return delivery


def _show(row: Row, entry: Entry | None, settings: Settings, delivery: Delivery) -> str:
    """Add a picture, or the card that stands in for it; return what is the matter with its bytes, if anything."""
    spec = row.picture.spec
    damage = ""
    if entry is not None:
        path = publishing.original(entry, settings.cache)
        if not isinstance(path, Damage):
            name = f"{spec.stem}.{entry.image.format}"
            delivery.files.append((path, name))
            delivery.shown[row.digest] = Shown(name, entry.image.width, entry.image.height)
            return ""
        damage = production.describe(Row(row.picture, State.BROKEN, path.reason, damage=path))
    note = _NOTES.get(row.state, "damaged")
    card = publishing.placeholder(spec, note, settings.cache)
    name = f"{spec.stem}.{PLACEHOLDER_FORMAT}"
    delivery.files.append((card, name))
    delivery.shown[row.digest] = Shown(name, *spec.pixels)
    return damage


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
