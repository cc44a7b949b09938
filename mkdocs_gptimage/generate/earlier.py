"""Takes along what an earlier version left in flight in the cache folder, at the beginning of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.text import counted

if TYPE_CHECKING:
    from mkdocs_gptimage.generate.workspace import Workspace
    from mkdocs_gptimage.journal.journal import Journal
    from mkdocs_gptimage.plan.plan import Plan


def take_along(plan: Plan, workspace: Workspace, journal: Journal | None = None) -> None:
    """Move the submissions of this site from the earlier journal to that of its store, and log what was done.

    Those whose pictures are stored are forgotten. Without a `journal`, nothing is moved, and an earlier journal that
    cannot be used is left alone; with one, it raises `ConfigurationError`.
    """
    cache = workspace.settings.cache
    if not workspace.settings.has_earlier_journal:
        return
    from mkdocs_gptimage.journal import earlier  # noqa: PLC0415 - slow to import

    try:
        earlier.require_no_earlier_run(cache)
        _take(plan, workspace, journal)
    except ConfigurationError:
        if journal is not None:
            raise
    else:
        earlier.remove_if_empty(cache)


def _take(plan: Plan, workspace: Workspace, journal: Journal | None) -> None:
    from mkdocs_gptimage.journal import earlier  # noqa: PLC0415 - slow to import
    from mkdocs_gptimage.plan.in_flight import read_earlier, shares_cache  # noqa: PLC0415 - as above

    settings, store, log = workspace.settings, workspace.store, workspace.log
    found = read_earlier(settings, {row.digest for row in plan.all_rows})
    stored = {digest: each for digest, each in found.items() if store.entry(digest) is not None}
    if stored and not shares_cache(settings):
        earlier.forget_submissions(settings.cache, stored.values())
        log.info("%s", stored_already(len(stored)))
    left = [digest for digest in found if digest not in stored]
    moved = earlier.move_submissions(settings.cache, left, journal) if journal is not None and left else 0
    if moved:
        log.info("%s in flight moved from '%s' to '%s'", counted(moved, "picture"), settings.cache, settings.journal)


def stored_already(count: int) -> str:
    """Say that pictures in the journal were collected before, by a run that this journal does not know of."""
    is_there = "is" if count == 1 else "are"
    return f"{counted(count, 'picture')} of the journal {is_there} in the store already, so nothing is paid"
