"""Entry point of a run: checks the key, the budget and the store, then executes the plan."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mkdocs_gptimage import read_only
from mkdocs_gptimage.errors import BudgetError, ConfigurationError, MissingPicturesError
from mkdocs_gptimage.generate.earlier import stored_already, take_along
from mkdocs_gptimage.generate.result import RunResult
from mkdocs_gptimage.generate.safeguards import check_payment
from mkdocs_gptimage.generate.workspace import RunContext, Workspace
from mkdocs_gptimage.plan.plan import Plan, collect_only, with_denied_in_flight, with_unknown_as_missing
from mkdocs_gptimage.plan.states import RUNNABLE, State
from mkdocs_gptimage.settings import EMULATOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mkdocs_gptimage.generate.job import Outcome, Watcher
    from mkdocs_gptimage.journal.journal import Journal
    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.service.redact import Secret
    from mkdocs_gptimage.settings import Settings


EMULATOR_SPEED = 10.0
"""How much faster than the real service the built-in emulator is."""


def run_plan(
    plan: Plan, workspace: Workspace, *, retry_unknown: bool = False, watcher: Watcher | None = None
) -> RunResult:
    """Make what a plan misses and collect what it has in flight; a complete plan is left alone.

    Raises `ConfigurationError`, or as `check_payment` before anything is submitted; what is in flight is collected all
    the same when the rest may not be paid for. With `retry_unknown`, pictures whose submit has an unknown outcome are
    submitted again. Without a `watcher`, progress is shown in the terminal.
    """
    settings, store = workspace.settings, workspace.store
    if settings.has_key(workspace.environment):
        plan = with_denied_in_flight(plan, _is_understood_now)
    if retry_unknown:
        plan = with_unknown_as_missing(plan, settings.prices)
    if settings.has_key(workspace.environment):
        plan = with_denied_in_flight(plan)
    to_do = plan.only(*RUNNABLE)
    if not to_do and not (plan.unclaimed and settings.has_key(workspace.environment)):
        take_along(plan, workspace)
        return RunResult(plan)
    if read_only.is_read_only(workspace.environment):
        raise ConfigurationError(
            f"nothing was submitted: {read_only.VARIABLE} is set, as in everything that is started while a command "
            "reads a site"
        )
    key = _key(settings, workspace.environment)
    try:
        check_payment(plan, settings)
    except (BudgetError, ConfigurationError, MissingPicturesError):
        free = collect_only(plan)
        if free.only(*RUNNABLE) or free.unclaimed:
            store.check_writable()
            _generate(free, workspace, key, watcher)
        raise
    store.check_writable()
    return RunResult(plan, tuple(_generate(plan, workspace, key, watcher)))


def _is_understood_now(submission: Submission) -> bool:
    """Whether the picture lies in an answer that an earlier version did not understand."""
    if not submission.answer:
        return False
    from mkdocs_gptimage.service.protocol import kept_image  # noqa: PLC0415 - rarely needed

    return kept_image(submission.answer) is not None


def _generate(plan: Plan, workspace: Workspace, key: Secret, watcher: Watcher | None) -> list[Outcome]:
    """Execute a plan, in a thread of its own where an event loop runs already, as in Jupyter and pytest-asyncio."""
    is_cancelled = watcher.is_cancelled if watcher else None
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _execute(plan, workspace, key, watcher, is_cancelled)
    is_interrupted = threading.Event()

    def ends() -> bool:
        return is_interrupted.is_set() or (is_cancelled is not None and is_cancelled())

    with ThreadPoolExecutor(1, "gptimage") as thread:
        outcomes = thread.submit(_execute, plan, workspace, key, watcher, ends)
        try:
            return outcomes.result()
        finally:
            is_interrupted.set()


def _execute(
    plan: Plan,
    workspace: Workspace,
    key: Secret,
    watcher: Watcher | None,
    is_cancelled: Callable[[], bool] | None,
) -> list[Outcome]:
    """Execute a plan, with the journal and the service open meanwhile."""
    # Slow to import, and needed only now.
    from mkdocs_gptimage.generate import progress  # noqa: PLC0415
    from mkdocs_gptimage.generate.executor import execute  # noqa: PLC0415
    from mkdocs_gptimage.generate.other_stores import take_from_other_stores  # noqa: PLC0415
    from mkdocs_gptimage.journal.journal import open_journal  # noqa: PLC0415
    from mkdocs_gptimage.journal.roots import leave_root  # noqa: PLC0415
    from mkdocs_gptimage.plan.other_stores import note_store, watch_other_stores  # noqa: PLC0415

    settings, log = workspace.settings, workspace.log
    total = len(plan.only(*RUNNABLE)) + len(plan.unclaimed)
    missing = [len(json.dumps(row.picture.spec.canonical)) for row in plan.only(State.MISSING)]
    at_a_time = min(settings.api.max_requests, len(missing))
    with (
        open_journal(settings.journal, at_a_time, max(missing, default=0)) as journal,
        _service(settings) as base_url,
        contextlib.nullcontext(watcher.tell) if watcher else progress.reporting(log, total) as report,
    ):
        # Before anything is paid for: a run that is killed leaves its pictures where they are found again.
        note_store(settings)
        leave_root(settings.store, settings.origin, [row.digest for row in plan.all_rows], is_whole=False)
        _forget_what_is_over(journal, workspace)  # first: what the emulator has left would stand in the way
        take_along(plan, workspace, journal)
        take_from_other_stores(plan, workspace, journal)
        _forget_what_is_over(journal, workspace)
        gateway = EMULATOR if settings.api.emulated else urlsplit(base_url).hostname or base_url
        if not settings.api.emulated:
            log.info("The key in %s is sent to %s", settings.api.key_env, urlsplit(base_url).netloc)
        elsewhere = watch_other_stores(settings)
        context = RunContext(settings, workspace.store, journal, base_url, gateway, key, workspace.objection, elsewhere)
        try:
            return execute(plan, context, report=report, is_cancelled=is_cancelled)
        except (KeyboardInterrupt, SystemExit):
            log.warning("Interrupted: %s", progress.left_behind(journal.submissions().values()))
            raise


def _forget_what_is_over(journal: Journal, workspace: Workspace) -> None:
    """Remove what dead runs have left of pictures that are stored, or that the built-in emulator has forgotten."""
    from mkdocs_gptimage.journal.lease import is_held  # noqa: PLC0415 - as above

    stored = 0
    for submission in journal.submissions().values():
        is_stored = workspace.store.entry(submission.digest) is not None
        if (is_stored or submission.base_url == EMULATOR) and not is_held(workspace.settings.journal, submission.run):
            journal.forget(submission)
            stored += is_stored and submission.base_url != EMULATOR
    if stored:
        workspace.log.info("%s", stored_already(stored))


def _key(settings: Settings, environment: Mapping[str, str]) -> Secret:
    from mkdocs_gptimage.service.redact import Secret  # noqa: PLC0415 - only when something is missing

    if not settings.has_key(environment):
        raise ConfigurationError(
            f"pictures are missing and there is no API key: set the environment variable {settings.api.key_env}, or "
            "'on_missing: placeholder' to build without them"
        )
    key = environment.get(settings.api.key_env, "").strip() or "emulator"
    if not key.isascii() or not key.isprintable():
        raise ConfigurationError(f"the key in {settings.api.key_env} holds characters that no key has")
    return Secret(key)


@contextlib.contextmanager
def _service(settings: Settings) -> Iterator[str]:
    """The base URL of the service; the built-in emulator runs for as long as it is needed."""
    if not settings.api.emulated:
        yield settings.api.base_url
        return
    from mkdocs_gptimage import emulator  # noqa: PLC0415 - an extra

    with contextlib.ExitStack() as stack:
        try:
            base_url = stack.enter_context(emulator.serving(emulator.Settings(speed=EMULATOR_SPEED)))
        except emulator.EmulatorUnavailableError as error:
            raise ConfigurationError(str(error)) from error
        yield base_url
