"""Log lines and errors about the pictures of a build."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import GenerationError
from mkdocs_gptimage.plan.messages import describe, emulated_elsewhere
from mkdocs_gptimage.plan.states import RUNNABLE, State
from mkdocs_gptimage.text import counted, one_line_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mkdocs_gptimage.generate.result import RunResult
    from mkdocs_gptimage.plan.plan import Row
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.text import Problem


def require(result: RunResult) -> None:
    """Raise `GenerationError` when a run left a picture unmade."""
    fail_with(result.problems, result)


def fail_with(problems: Sequence[Problem], result: RunResult) -> None:
    """Raise `GenerationError` that lists the problems of a run, if there are any."""
    if problems:
        raise GenerationError(_explain(problems, result))


def log_result(result: RunResult, settings: Settings, log: logging.Logger) -> None:
    """Log what a run made, and a warning about pictures of the emulator in a site that no longer uses it."""
    if result.outcomes:
        from mkdocs_gptimage.generate import progress  # noqa: PLC0415 - only when something was made

        log.info(progress.summary(result.plan, result.outcomes))
    elif result.plan.rows:
        count = result.plan.count(State.CACHED)
        log.debug("%d of %d pictures are in the store", count, len(result.plan.rows))
    emulated = emulated_elsewhere(result.plan, settings)
    if emulated:
        log.warning(
            "%d of the pictures were drawn by the emulator, the first at %s; delete them from the store to have them "
            "made by %s",
            len(emulated),
            emulated[0].picture.where,
            settings.api.base_url,
        )


def log_problems(problems: Sequence[Problem], log: logging.Logger, *, is_strict: bool) -> None:
    """Log the problems of blocks whose pages show them; a warning would end a strict development server."""
    for line in one_line_each([str(problem) for problem in problems]).splitlines():
        log.log(logging.INFO if is_strict else logging.WARNING, "%s", line)


def log_offers(result: RunResult, damaged: Sequence[Row], log: logging.Logger) -> None:
    """Log what a development server has cards with buttons for, and warn about the problems that need the author."""
    count = len(result.plan.only(State.MISSING))
    if count:
        them = "it is a card with a button" if count == 1 else "they are cards with buttons"
        log.info("%s %s not in the store; %s", counted(count, "picture"), "is" if count == 1 else "are", them)
    for row in [*result.plan.blocked, *damaged]:
        # The cards of these say what they are, and a strict server is to start all the same.
        level = logging.INFO if row.state in (State.UNKNOWN, State.OTHER_GATEWAY) else logging.WARNING
        log.log(level, "%s", one_line_each([str(describe(row))]))


def log_placeholders(result: RunResult, problems: Sequence[Problem], log: logging.Logger) -> None:
    """Warn about each picture that the site shows a placeholder for."""
    for row in result.plan.only(*RUNNABLE):
        log.warning(
            "%s: shows a placeholder: the picture %s is %s", row.picture.where, row.digest.short, row.state.value
        )
    for problem in problems:
        log.warning("%s", one_line_each([str(problem)]))


def log_missing_key(settings: Settings, log: logging.Logger) -> None:
    """Warn about the environment variable that a build needs to generate pictures."""
    log.warning(
        "there is no API key: set the environment variable %s to have missing pictures made, or 'on_missing: "
        "placeholder' to build without them",
        settings.api.key_env,
    )


def _explain(problems: Sequence[Problem], result: RunResult) -> str:
    from mkdocs_gptimage.generate import progress  # noqa: PLC0415 - only for a run that failed

    head = f"{len(problems)} of {len(result.plan.rows)} pictures are not there:"
    return "\n".join(
        filter(None, [head, one_line_each([str(problem) for problem in problems]), progress.advice(result.outcomes)])
    )
