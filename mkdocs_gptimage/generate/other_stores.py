"""Takes along what is in flight in other stores of the project, at the beginning of a run.

A submission is written to the journal of this run's store before it leaves another, so a kill between the two costs
nothing. Where another configuration uses the other store, it stays there as well: each of them collects the picture,
which is free.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.journal.earlier import move_submissions
from mkdocs_gptimage.journal.lease import held_leases, process_of
from mkdocs_gptimage.plan.in_flight import read_others
from mkdocs_gptimage.text import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from mkdocs_gptimage.generate.workspace import Workspace
    from mkdocs_gptimage.journal.journal import Journal
    from mkdocs_gptimage.plan.other_stores import FoundSubmission
    from mkdocs_gptimage.plan.plan import Plan
    from mkdocs_gptimage.spec.digest import Digest


_LOOK_AGAIN = 0.5
"""Seconds between two looks at what a run over another store is about to submit."""


def take_from_other_stores(plan: Plan, workspace: Workspace, journal: Journal) -> None:
    """Write what other stores have in flight for this site to the journal of its own, and log what was done.

    Waits while another run is about to submit one of these pictures. Raises `ConfigurationError`.
    """
    found = _accepted({row.digest for row in plan.all_rows}, workspace)
    taken: dict[Path, int] = {}
    for digest, each in found.items():
        if workspace.store.entry(digest) is None and _take(each, journal):
            taken[each.store.folder] = taken.get(each.store.folder, 0) + 1
    for folder, count in taken.items():
        workspace.log.info("%s in flight taken along from the store '%s'", counted(count, "picture"), folder)


def _take(found: FoundSubmission, journal: Journal) -> bool:
    # Where a run is alive, the store is in use; each of two runs would hold the journal that the other waits for.
    if found.store.is_former and not held_leases(found.store.journal):
        return bool(move_submissions(found.store.journal, [found.submission.digest], journal))
    return journal.claim(found.submission)


def _accepted(digests: Collection[Digest], workspace: Workspace) -> Mapping[Digest, FoundSubmission]:
    """What is in flight elsewhere, once no run is about to submit any of it."""
    settings = workspace.settings
    end = time.monotonic() + max(settings.api.timeout.values())
    is_told = False
    while True:
        found = read_others(settings, digests)
        pending = [each for each in found.values() if each.is_pending]
        if not pending:
            return found
        first = pending[0]
        who = f"process {process_of(first.submission.run)}, which makes it for the store '{first.store.folder}'"
        if time.monotonic() > end:
            raise ConfigurationError(f"the picture {first.submission.digest.short} is waited for too long: {who}")
        if not is_told:
            workspace.log.info("The picture %s waits for %s", first.submission.digest.short, who)
            is_told = True
        time.sleep(_LOOK_AGAIN)
