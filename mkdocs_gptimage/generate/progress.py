"""Progress of a run: a log line per change of state, and a live display in a terminal."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.generate.step import Step
from mkdocs_gptimage.journal.submission import Stage
from mkdocs_gptimage.plan.states import State
from mkdocs_gptimage.text import counted, escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mkdocs_gptimage.generate.job import Event, Outcome
    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.plan.plan import Plan


_ENDS = frozenset({Step.STORED, Step.FAILED, Step.WAITING, Step.UNKNOWN, Step.SKIPPED, Step.LEASE_LOST})


@contextlib.contextmanager
def reporting(log: logging.Logger, total: int) -> Iterator[Callable[[Event], None]]:
    """Give a function that tells each event as it comes; with a display when stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda event: log.info(line(event))
        return
    with _display(total) as advance:

        def tell(event: Event) -> None:
            log.info(line(event))
            advance(event)

        yield tell


def line(event: Event) -> str:
    """One change of state, on one line."""
    text = f": {event.text}" if event.text and event.step in _ENDS else f" {event.text}" if event.text else ""
    return escaped(f"{event.where}: {event.step.value}{text}", keep="")


@contextlib.contextmanager
def _display(total: int) -> Iterator[Callable[[Event], None]]:
    from rich.console import Console  # noqa: PLC0415 - only for long work in a terminal
    from rich.file_proxy import FileProxy  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    console = Console(stderr=True)
    counts = dict.fromkeys(("submitted", "running", "ready", "failed"), 0)
    columns = (TextColumn("pictures"), BarColumn(bar_width=20), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as progress:
        task = progress.add_task(_counted(counts, total), total=total)
        steps: dict[str, str] = {}

        def advance(event: Event) -> None:
            steps[event.digest] = _COLUMN_OF.get(event.step, "failed")
            for name in counts:
                counts[name] = sum(step == name for step in steps.values())
            progress.update(task, completed=counts["ready"] + counts["failed"], description=_counted(counts, total))

        # Log lines are printed above the display, not through it.
        with _redirected(FileProxy(console, sys.stderr)):
            yield advance


_UNMADE = {
    "failed": Step.FAILED,
    "still in flight": Step.WAITING,
    "unknown": Step.UNKNOWN,
    "not submitted": Step.SKIPPED,
    "overtaken": Step.LEASE_LOST,
}
_COLUMN_OF = {
    Step.SUBMITTED: "submitted",
    Step.RESUMED: "submitted",
    Step.LEASED: "submitted",
    Step.RUNNING: "running",
    Step.STORED: "ready",
}


def _counted(counts: dict[str, int], total: int) -> str:
    return " · ".join(f"{count} {name}" for name, count in counts.items()) + f" of {total}"


@contextlib.contextmanager
def _redirected(stream: Any) -> Iterator[None]:
    """Send what the log's handlers write to stderr to `stream` instead."""
    changed: list[tuple[logging.StreamHandler[Any], Any]] = []
    logger: logging.Logger | None = logging.getLogger("mkdocs.plugins.gptimage")
    while logger is not None:
        for handler in logger.handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr:
                original = handler.setStream(stream)
                changed.append((handler, original))
        logger = logger.parent if logger.propagate else None
    try:
        yield
    finally:
        for handler, original in changed:
            handler.setStream(original)


def summary(plan: Plan, outcomes: Sequence[Outcome]) -> str:
    """One line on what a run did: `12 pictures: 9 cached, 3 generated, 0 failed, $0.042`."""
    stored = [outcome.entry for outcome in outcomes if outcome.entry is not None]
    totals = {"cached": plan.count(State.CACHED), "generated": len(stored)}
    for name, step in _UNMADE.items():
        count = sum(outcome.step is step for outcome in outcomes)
        if count or step is Step.FAILED:
            totals[name] = count
    blocked = len(plan.blocked)
    if blocked:
        totals["not touched"] = blocked
    text = ", ".join(f"{count} {name}" for name, count in totals.items())
    costs = [entry.made.cost_usd for entry in stored]
    costs_known = [cost for cost in costs if cost is not None]
    if costs_known:
        text += f", ${sum(costs_known):.4g}" + (
            "" if len(costs_known) == len(costs) else f" for {len(costs_known)} of them"
        )
    elif stored:
        text += ", cost not reported by the service"
    return f"{counted(len(plan.rows), 'picture')}: {text}"


def left_behind(submissions: Iterable[Submission]) -> str:
    """What becomes of the pictures that the journal holds when a run is interrupted."""
    accepted = [submission.stage is Stage.ACCEPTED for submission in submissions]
    collected, unknown = sum(accepted), len(accepted) - sum(accepted)
    said = f"{collected} in flight, which the next build collects without paying again"
    if unknown:
        said += f"; {unknown} with an unknown outcome, which the next build names"
    return said if accepted else "nothing is in flight"


def advice(outcomes: Sequence[Outcome]) -> str:
    """What becomes of the rest, after a run that did not make everything; nothing when there is no rest."""
    said = []
    if any(outcome.step is Step.STORED for outcome in outcomes):
        said.append("What was made is in the store, and is not paid for again.")
    if any(outcome.step is Step.WAITING for outcome in outcomes):
        said.append("What is in flight stays in the journal; build again to collect it, without paying again.")
    skipped = sum(outcome.step is Step.SKIPPED for outcome in outcomes)
    if skipped:
        pictures = f"{counted(skipped, 'picture')} {'is' if skipped == 1 else 'are'}"
        said.append(f"{pictures} left that nothing was submitted or paid for; build again when the cause is gone.")
    return " ".join(said)
