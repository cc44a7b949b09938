"""Sites without MkDocs: a catalog of prompts, settings in a temporary folder, and runs in fast time."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
from scripted_service import KEY

from mkdocs_gptimage.blocks.fence import Block
from mkdocs_gptimage.catalog.catalog import Catalog, Use
from mkdocs_gptimage.catalog.location import Source
from mkdocs_gptimage.generate import executor as generation
from mkdocs_gptimage.generate.executor import execute
from mkdocs_gptimage.generate.job import Clock
from mkdocs_gptimage.generate.run import run_plan
from mkdocs_gptimage.generate.workspace import RunContext, Workspace
from mkdocs_gptimage.journal.journal import open_journal, read_submissions
from mkdocs_gptimage.plan.plan import make_plan
from mkdocs_gptimage.service.redact import Secret
from mkdocs_gptimage.settings import Api, Budget, Settings
from mkdocs_gptimage.spec.model import ImageSpec, ParsedBlock, Presentation
from mkdocs_gptimage.store.snapshot import StoreSnapshot
from mkdocs_gptimage.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mkdocs_gptimage.generate.result import RunResult
    from mkdocs_gptimage.plan.plan import Plan
    from mkdocs_gptimage.plan.states import State

SPEED = 100.0
LOG = logging.getLogger("mkdocs.plugins.gptimage")
ENVIRONMENT = {"APIMASTER_API_KEY": KEY}


def fast_clock(speed: float = SPEED) -> Clock:
    """A clock that runs faster than the world's, without chance."""
    start, first = time.time(), time.monotonic()

    async def sleep(seconds: float) -> None:
        await anyio.sleep(seconds / speed)

    def monotonic() -> float:
        return first + (time.monotonic() - first) * speed

    return Clock(lambda: start + monotonic() - first, monotonic, sleep, jitter=lambda: 0.0)


def settings(root: Path, base_url: str, *, api: Mapping[str, Any] | None = None, **changes: Any) -> Settings:
    """Settings of a site in a folder."""
    common = {"first_poll": 1.0, "poll_interval": 1.0, "max_requests": 4}
    made = Settings(
        project=root,
        config_file="mkdocs.yml",
        docs=root / "docs",
        store=root / "gptimage",
        cache=root / ".cache",
        assets="assets/gptimage",
        fence="gpt-image",
        require_alt=False,
        defaults={},
        api=Api(base_url, **{**common, **(api or {})}),
        budget=Budget(),
        prices={},
    )
    return dataclasses.replace(made, **changes)


def catalog(*prompts: str | ImageSpec, page: str = "docs/index.md") -> Catalog:
    """A catalog in which a page asks for these pictures, one block after the other."""
    specs = [ImageSpec(prompt) if isinstance(prompt, str) else prompt for prompt in prompts]
    bodies = [f"prompt: {spec.prompt}\n" for spec in specs]
    text = "".join(f"```gpt-image\n{body}```\n" for body in bodies)
    source = Source(page, lambda: text, "gpt-image")
    found = Catalog()
    for spec, body in zip(specs, bodies, strict=True):
        found.add(Use(source, Block(body, body), 0, ParsedBlock(spec, Presentation())))
    return found


@dataclasses.dataclass
class Site:
    """A folder, a service and the prompts of the pages; every run begins anew, as a process would."""

    settings: Settings
    pictures: Catalog

    @property
    def store(self) -> Store:
        return Store(self.settings.store)

    @property
    def digests(self) -> list[str]:
        return list(self.pictures.pictures)

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.settings, self.store, ENVIRONMENT, LOG)

    def plan(self) -> Plan:
        return make_plan(self.pictures, StoreSnapshot(self.store), self.settings)

    def run(self, *, retry_unknown: bool = False) -> RunResult:
        """Produce what is missing."""
        return run_plan(self.plan(), self.workspace, retry_unknown=retry_unknown)

    def generate(self, plan: Plan | None = None, report: Any = lambda _: None, clock: Clock | None = None) -> list[Any]:
        """Generate with a report or a clock of the test's own; a step's value and its problem per prompt."""
        with open_journal(self.settings.journal) as opened:
            url = self.settings.api.base_url
            context = RunContext(self.settings, self.store, opened, url, urlsplit(url).hostname, Secret(KEY))
            outcomes = execute(plan or self.plan(), context, report=report, clock=clock or fast_clock())
        by_digest = {outcome.digest: outcome for outcome in outcomes}
        assert len(by_digest) == len(outcomes)
        return [by_digest[digest] for digest in self.digests if digest in by_digest]

    def states(self) -> list[State]:
        return [row.state for row in self.plan().rows]

    def submissions(self) -> dict[str, Any]:
        return read_submissions(self.settings.journal)

    def files(self) -> list[str]:
        """Every file of the store, but for its journal, and every unfinished download."""
        folders = [self.settings.store, self.settings.cache / "parts"]
        found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        return sorted(path.name for path in found if self.settings.journal not in path.parents)


def steps(outcomes: list[Any]) -> list[str]:
    """The names of the steps that outcomes ended with."""
    return [outcome.step.name for outcome in outcomes]


@contextlib.contextmanager
def fast_production(monkeypatch: Any, speed: float = SPEED) -> Any:
    """Let `run_plan` run in fast time."""
    with monkeypatch.context() as patched:
        patched.setattr(generation, "Clock", lambda: fast_clock(speed))
        yield
