"""From a catalog to pictures in the store: everything that has to be in order before money is spent, then the run."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import planning
from .errors import BudgetError, ConfigurationError, MissingPicturesError, one_line_each
from .jobs import Outcome, Step
from .planning import Plan, Row, State
from .settings import EMULATOR
from .store import Entry

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .catalog import Catalog
    from .jobs import Watcher
    from .journal import Journal
    from .secret import Secret
    from .settings import Settings
    from .store import Damage, Store


EMULATOR_SPEED = 10.0
"""How much faster than the real service the built-in emulator is."""
_TO_DO = (State.MISSING, State.IN_FLIGHT, State.IN_HAND)


@dataclass(frozen=True)
class Result:
    """What a run did."""

    plan: Plan
    outcomes: tuple[Outcome, ...] = ()

    @property
    def entries(self) -> dict[str, Entry]:
        """The pictures of the plan that are stored now, by digest."""
        made = {outcome.digest: outcome.entry for outcome in self.outcomes}
        return {row.digest: found for row in self.plan.rows if (found := row.entry or made.get(row.digest)) is not None}

    @property
    def problems(self) -> list[str]:
        """One line for each picture that should be there and is not; first those that nothing was tried for."""
        blocked = [describe(row) for row in self.plan.blocked]
        rows = {row.digest: row for row in self.plan.rows}
        order = {digest: number for number, digest in enumerate(rows)}
        failed = [
            f"{outcome.where}: {outcome.step.value}: {outcome.problem.rstrip('.')}"
            f"{_next(outcome.step, rows[outcome.digest])}"
            for outcome in sorted(self.outcomes, key=lambda outcome: order.get(outcome.digest, 0))
            if outcome.step is not Step.STORED and outcome.digest in order
        ]
        return blocked + failed


def _next(step: Step, row: Row) -> str:
    """What becomes of a picture that a run did not make; of the others, the end of the list of problems tells."""
    if step is Step.FAILED:
        again = "the next build submits it again" if not row.picture.role else "nobody submits it again on its own"
        return f". Nothing is paid for it; {again}"
    if step is Step.UNKNOWN:
        return f". It may be paid for already, and is not submitted again on its own; {_retry(row)} does"
    return ""


def _retry(row: Row) -> str:
    """The command that submits again what has an unknown outcome."""
    return f"'gptimage {'regenerate' if row.picture.role else 'generate'} --retry-unknown'"


def look_ahead(
    catalog: Catalog,
    look: Callable[[str], Entry | Damage | None],
    settings: Settings,
    *,
    with_strays: bool = False,
    warn: Callable[[str], object] | None = None,
) -> Plan:
    """Plan without changing anything; the journal is only read when something is missing, or for strays.

    `look` finds a digest in the store; strays are pictures in flight that no page asks for any more. A journal that
    cannot be read raises `ConfigurationError`; with `warn`, for plans on which nothing is paid, it is set aside.
    """
    plan = planning.plan(catalog, look, {}, settings.prices, settings.api.base_url)
    if plan.is_complete and not with_strays:
        return plan
    from . import journal, leases  # noqa: PLC0415 - only when something is missing

    try:
        flights = journal.recorded(settings.cache)
    except ConfigurationError as error:
        if warn is None:
            raise
        warn(f"{error}. What is in flight is shown as missing")
        return plan
    alive = {flight.run for flight in flights.values() if leases.is_held(settings.cache, flight.run)}
    # The built-in emulator forgets its tasks when a build ends, and nothing was paid for them.
    known = {digest: flight for digest, flight in flights.items() if flight.base_url != EMULATOR or flight.run in alive}
    return planning.plan(catalog, look, known, settings.prices, settings.api.base_url, alive)


def produce(  # noqa: PLR0913 - the world is passed in
    plan: Plan,
    settings: Settings,
    store: Store,
    environment: Mapping[str, str],
    log: logging.Logger,
    *,
    retry_unknown: bool = False,
    watcher: Watcher | None = None,
) -> Result:
    """Make what a plan misses and collect what it has in flight; a complete plan is left alone.

    Raises `ConfigurationError` or `BudgetError` before anything is submitted; what is in flight is collected all the
    same when the rest is over the budget. With `retry_unknown`, pictures whose submit has an unknown outcome are
    submitted again. Without a `watcher`, what happens is shown in the terminal.
    """
    if retry_unknown:
        plan = planning.with_unknown_as_missing(plan, settings.prices)
    to_do = plan.only(*_TO_DO)
    if not to_do and not (plan.strays and has_key(settings, environment)):
        return Result(plan)
    key = _key(settings, environment)
    try:
        planning.check_budget(plan, settings.budget)
    except BudgetError:
        free = planning.without_missing(plan)
        if free.only(*_TO_DO) or free.strays:
            store.check_writable()
            _generate(free, settings, store, key, log, watcher)
        raise
    store.check_writable()
    return Result(plan, tuple(_generate(plan, settings, store, key, log, watcher)))


def _generate(  # noqa: PLR0913 - the world is passed in
    plan: Plan, settings: Settings, store: Store, key: Secret, log: logging.Logger, watcher: Watcher | None
) -> list[Outcome]:
    """Run what a plan says, with everything that it needs open for as long."""
    # Slow to import, and needed only now.
    from . import generation, journal, progress  # noqa: PLC0415

    total = len(plan.only(*_TO_DO)) + len(plan.strays)
    with (
        journal.opened(settings.cache) as flights,
        _service(settings) as base_url,
        contextlib.nullcontext(watcher.tell) if watcher else progress.reporting(log, total) as report,
    ):
        _forget_what_is_over(flights, settings, store)
        try:
            wants_end = watcher.wants_end if watcher else None
            return generation.generate(
                plan, settings, store, flights, base_url=base_url, key=key, report=report, wants_end=wants_end
            )
        except (KeyboardInterrupt, SystemExit):
            log.warning("Interrupted: %s", progress.left_behind(flights.flights().values()))
            raise


def _forget_what_is_over(flights: Journal, settings: Settings, store: Store) -> None:
    """Remove what dead runs have left of pictures that are stored, or that the built-in emulator has forgotten."""
    from . import leases  # noqa: PLC0415 - as above

    for flight in flights.flights().values():
        is_over = flight.base_url == EMULATOR or isinstance(store.look(flight.digest), Entry)
        if is_over and not leases.is_held(settings.cache, flight.run):
            flights.forget(flight)


def has_key(settings: Settings, environment: Mapping[str, str]) -> bool:
    """Whether pictures can be asked for: the emulator needs no key."""
    return settings.api.emulated or bool(environment.get(settings.api.key_env, "").strip())


def _key(settings: Settings, environment: Mapping[str, str]) -> Secret:
    from .secret import Secret  # noqa: PLC0415 - only when something is missing

    if not has_key(settings, environment):
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
    from . import emulator  # noqa: PLC0415 - an extra

    with contextlib.ExitStack() as stack:
        try:
            base_url = stack.enter_context(emulator.serving(emulator.Settings(speed=EMULATOR_SPEED)))
        except emulator.EmulatorUnavailableError as error:
            raise ConfigurationError(str(error)) from error
        yield base_url


def require_all(plan: Plan) -> None:
    """Raise `MissingPicturesError` that lists everything that is not in the store."""
    lines = not_stored(plan)
    if lines:
        raise MissingPicturesError(one_line_each(lines))


def not_stored(plan: Plan) -> list[str]:
    """One line for each picture of a plan that is not in the store."""
    return [describe(row) for row in plan.rows if row.state is not State.CACHED]


def describe(row: Row) -> str:
    """What is the matter with a picture that is not there, and what to do."""
    digest = row.digest[:12]
    where = row.picture.where
    if row.state is State.MISSING:
        return f"{where}: the picture {digest} is not in the store; make it with 'gptimage generate' and commit it"
    if row.state is State.IN_FLIGHT:
        return f"{where}: the picture {digest} is in flight; collect it with 'gptimage generate'"
    if row.state is State.IN_HAND:
        return f"{where}: the picture {digest} is being made by another run ({row.detail}); build again when it is done"
    if row.state is State.UNKNOWN:
        return (
            f"{where}: the picture {digest} may be paid for already: {row.detail}. It is not submitted again on its "
            f"own; {_retry(row)} does"
        )
    if row.state is State.ELSEWHERE:
        return (
            f"{where}: the picture {digest} was submitted to {row.detail}; set api.base_url to that to collect it. It "
            "is not submitted to another service"
        )
    remedy = f". {row.damage.remedy}" if row.damage is not None and row.damage.remedy else ""
    return f"{where}: the picture {digest} in the store is damaged: {row.detail}{remedy}"


def emulated_elsewhere(plan: Plan, settings: Settings) -> Sequence[Row]:
    """Pictures that the emulator drew, in a site that no longer uses it."""
    if settings.api.emulated:
        return ()
    return [row for row in plan.rows if row.entry is not None and row.entry.made.gateway == "emulator"]
