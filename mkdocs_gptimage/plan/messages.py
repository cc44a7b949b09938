"""Messages about the pictures of a plan that are not in the store, and what to do about each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import MissingPicturesError
from mkdocs_gptimage.plan.states import State
from mkdocs_gptimage.text import one_line_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mkdocs_gptimage.plan.plan import Plan, Row
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.text import Problem


def retry_command(row: Row) -> str:
    """The command that resubmits a picture of unknown outcome."""
    return f"'gptimage {'regenerate' if row.picture.role else 'generate'} --retry-unknown'"


def require_all(plan: Plan) -> None:
    """Raise `MissingPicturesError` that lists all pictures that are not in the store."""
    problems = not_stored(plan)
    if problems:
        raise MissingPicturesError(one_line_each([str(problem) for problem in problems]))


def not_stored(plan: Plan) -> list[Problem]:
    """A problem for each picture of a plan that is not in the store."""
    return [describe(row) for row in plan.rows if row.state is not State.CACHED]


def describe(row: Row) -> Problem:
    """Why a picture is not in the store, and what to do, located at its first use."""
    return row.picture.problem(explain(row))


def explain(row: Row) -> str:
    """Why a picture is not in the store, and what to do, without its location."""
    digest = row.digest.short
    if row.state is State.MISSING:
        return f"the picture {digest} is not in the store; make it with 'gptimage generate' and commit it"
    if row.state is State.IN_FLIGHT:
        return f"the picture {digest} is in flight; collect it with 'gptimage generate'"
    if row.state is State.LEASED:
        return f"the picture {digest} is being made by another run ({row.detail}); build again when it is done"
    if row.state is State.UNKNOWN:
        return (
            f"the picture {digest} may be paid for already: {row.detail}. It is not submitted again on its "
            f"own; {retry_command(row)} does"
        )
    if row.state is State.OTHER_GATEWAY:
        return (
            f"the picture {digest} was submitted to {row.detail}; set api.base_url to that to collect it. It "
            f"is not submitted to another service; if that one is gone, 'gptimage forget {digest}' gives it up"
        )
    remedy = f". {row.damage.remedy}" if row.damage is not None and row.damage.remedy else ""
    return f"the picture {digest} in the store is damaged: {row.detail}{remedy}"


def emulated_elsewhere(plan: Plan, settings: Settings) -> Sequence[Row]:
    """The pictures that the emulator drew, if the site no longer uses it."""
    if settings.api.emulated:
        return ()
    return [row for row in plan.rows if row.entry is not None and row.entry.made.gateway == "emulator"]
