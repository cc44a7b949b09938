"""Conditions that must hold before anything is paid for; each violation raises with what to do, and costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ConfigurationError, MissingPicturesError
from mkdocs_gptimage.plan.other_stores import stored_elsewhere
from mkdocs_gptimage.plan.plan import check_budget
from mkdocs_gptimage.plan.states import State
from mkdocs_gptimage.store.committed import find_committed
from mkdocs_gptimage.text import counted, one_line_each

if TYPE_CHECKING:
    from mkdocs_gptimage.plan.plan import Plan
    from mkdocs_gptimage.settings import Settings


def check_payment(plan: Plan, settings: Settings) -> None:
    """Raise unless what a plan misses may be paid for.

    Raises `ConfigurationError` for options that do not exist, `BudgetError`, and `MissingPicturesError` for pictures
    that git has and the working tree lacks.
    """
    missing = [row.digest for row in plan.only(State.MISSING)]
    if not missing:
        return
    if settings.unknown_options:
        lines = [f"{settings.config_file}: plugins.gptimage.{each}" for each in settings.unknown_options]
        raise ConfigurationError(f"{one_line_each(lines)}\nNothing was submitted: a misspelt limit would not hold")
    check_budget(plan, settings.budget)
    if settings.api.emulated:
        return
    committed = find_committed(missing, settings.store, settings.project)
    if committed is not None:
        count = "The store" if not committed.digests else f"{counted(len(committed.digests), 'picture')} of the store"
        raise MissingPicturesError(f"{count} {committed.reason}; nothing was submitted. {committed.remedy}")
    others = stored_elsewhere(missing, settings)
    if others:
        folder = next(iter(others.values()))
        raise MissingPicturesError(
            f"{counted(len(others), 'picture')} of the store {'is' if len(others) == 1 else 'are'} in another folder, "
            f"'{folder}'; nothing was submitted. Set the option 'store' to that folder, or copy its files"
        )
