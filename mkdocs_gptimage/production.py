"""From a catalog to pictures in the store: everything that has to be in order before money is spent, then the run."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import planning
from .errors import ConfigurationError, MissingPicturesError, one_line_each
from .jobs import Outcome, Step
from .planning import Plan, Row, State
from .settings import EMULATOR

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping, Sequence

    from .catalog import Catalog
    from .reading import Reader
    from .settings import Settings
    from .store import Store


EMULATOR_SPEED = 10.0
"""How much faster than the real service the built-in emulator is."""


@dataclass(frozen=True)
class Result:
    """What a run did."""

    plan: Plan
    outcomes: tuple[Outcome, ...] = ()

    @property
    def problems(self) -> list[str]:
        """One line for each picture that should be there and is not."""
        blocked = [describe(row) for row in self.plan.blocked]
        failed = [
            f"{outcome.picture.where}: {outcome.step.value}: {outcome.problem}"
            for outcome in self.outcomes
            if outcome.step is not Step.STORED
        ]
        return blocked + failed


def look_ahead(catalog: Catalog, reader: Reader, settings: Settings) -> Plan:
    """Plan without changing anything; the journal is only read when something is missing."""
    plan = planning.plan(catalog, reader.look, {}, settings.prices, settings.api.base_url)
    if plan.is_complete:
        return plan
    from . import journal  # noqa: PLC0415 - only when something is missing

    # The built-in emulator forgets its tasks when a build ends, and nothing was paid for them.
    flights = {
        digest: flight for digest, flight in journal.recorded(settings.cache).items() if flight.base_url != EMULATOR
    }
    return planning.plan(catalog, reader.look, flights, settings.prices, settings.api.base_url)


def produce(  # noqa: PLR0913 - the world is passed in
    plan: Plan,
    settings: Settings,
    store: Store,
    environment: Mapping[str, str],
    log: logging.Logger,
    *,
    retry_unknown: bool = False,
) -> Result:
    """Make what a plan misses and collect what it has in flight; a complete plan is left alone.

    Raises `ConfigurationError` or `BudgetError` before anything is submitted. With `retry_unknown`, pictures whose
    submit has an unknown outcome are submitted again.
    """
    if retry_unknown:
        plan = planning.with_unknown_as_missing(plan, settings.prices)
    if not plan.only(State.MISSING, State.IN_FLIGHT):
        return Result(plan)
    key = _key(settings, environment)
    planning.check_budget(plan, settings.budget)
    store.check_writable()
    return Result(plan, tuple(_generate(plan, settings, store, key, log)))


def _generate(plan: Plan, settings: Settings, store: Store, key: str, log: logging.Logger) -> list[Outcome]:
    """Run what a plan says, with everything that it needs open for as long."""
    # Slow to import, and needed only now.
    from . import generation, journal, progress  # noqa: PLC0415

    total = len(plan.only(State.MISSING, State.IN_FLIGHT))
    with (
        journal.opened(settings.cache) as flights,
        _service(settings) as base_url,
        progress.reporting(log, total) as report,
    ):
        for flight in flights.flights().values():
            if flight.base_url == EMULATOR:
                flights.forget(flight)
        try:
            return generation.generate(plan, settings, store, flights, base_url=base_url, key=key, report=report)
        except KeyboardInterrupt:
            log.info("Interrupted: %s", progress.STAYS_IN_FLIGHT)
            raise


def has_key(settings: Settings, environment: Mapping[str, str]) -> bool:
    """Whether pictures can be asked for: the emulator needs no key."""
    return settings.api.emulated or bool(environment.get(settings.api.key_env, "").strip())


def _key(settings: Settings, environment: Mapping[str, str]) -> str:
    if not has_key(settings, environment):
        raise ConfigurationError(
            f"pictures are missing and there is no API key: set the environment variable {settings.api.key_env}, or "
            "'on_missing: placeholder' to build without them"
        )
    key = environment.get(settings.api.key_env, "").strip() or "emulator"
    if not key.isascii() or not key.isprintable():
        raise ConfigurationError(f"the key in {settings.api.key_env} holds characters that no key has")
    return key


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
    lines = [describe(row) for row in plan.rows if row.state is not State.CACHED]
    if lines:
        raise MissingPicturesError(one_line_each(lines))


def describe(row: Row) -> str:
    """What is the matter with a picture that is not there, and what to do."""
    digest = row.digest[:12]
    where = row.picture.where
    if row.state is State.MISSING:
        return f"{where}: the picture {digest} is not in the store; make it with 'gptimage generate' and commit it"
    if row.state is State.IN_FLIGHT:
        return f"{where}: the picture {digest} is in flight; collect it with 'gptimage generate'"
    if row.state is State.UNKNOWN:
        return (
            f"{where}: the picture {digest} may be paid for already: {row.detail}. It is not submitted again on its "
            "own; 'gptimage generate --retry-unknown' does"
        )
    if row.state is State.ELSEWHERE:
        return (
            f"{where}: the picture {digest} was submitted to {row.detail}; set api.base_url to that to collect it. It "
            "is not submitted to another service"
        )
    damaged = f"{where}: the picture {digest} in the store is damaged: {row.detail}"
    if "git lfs" in row.detail:
        return damaged
    return f"{damaged}. Restore its files from version control, or delete both of them to have it made anew"


def emulated_elsewhere(plan: Plan, settings: Settings) -> Sequence[Row]:
    """Pictures that the emulator drew, in a site that no longer uses it."""
    if settings.api.emulated:
        return ()
    return [row for row in plan.rows if row.entry is not None and row.entry.made.gateway == "emulator"]
