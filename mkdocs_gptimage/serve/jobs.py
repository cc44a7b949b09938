"""The jobs of a development server: pictures that were requested in it, and the builds that requested them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mkdocs_gptimage.plan.plan import Plan
from mkdocs_gptimage.plan.states import FREE, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mkdocs_gptimage.catalog.catalog import Catalog
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest


@dataclass
class BackgroundJob:
    """One picture that was asked for in this server."""

    since: float
    """Seconds of the monotonic clock."""
    phase: str = "queued"
    """`queued`, `running`, `ready` or `failed`."""
    step: str = ""
    """The name of the last step that its run has reported, in lower case."""
    text: str = ""
    again: str = "paid"
    """What asking again means: `paid`, `free`, or `unknown` for one that may be paid for already."""

    @property
    def is_over(self) -> bool:
        return self.phase in ("ready", "failed")


@dataclass
class SiteBuild:
    """What one build of the server has read."""

    catalog: Catalog
    settings: Settings
    cards: frozenset[Digest]
    """Digests of what was not in the store."""
    versions: Mapping[Digest, str] = field(default_factory=dict)
    """`Entry.version` by digest, of the stored pictures that its pages show."""
    first_seen: dict[Digest, float] = field(default_factory=dict)
    """When each missing picture was asked for first (monotonic clock), where they are made automatically."""


@dataclass(frozen=True)
class BackgroundRun:
    """What one thread makes."""

    catalog: Catalog
    settings: Settings
    jobs: Mapping[Digest, BackgroundJob]
    """What was asked for, by digest."""
    retry_unknown: bool
    is_free: bool
    rebuilds: bool
    """Whether pages show what it makes."""

    def plan(self, whole: Plan) -> Plan:
        """Return the part of a plan for these pictures and their parents; a free run collects what is unclaimed."""
        lines = (row.picture.lineage for row in whole.all_rows if row.digest in self.jobs)
        wanted = set().union(*lines)
        kept = (row for row in whole.all_rows if row.digest in wanted)
        if not self.is_free:
            return Plan(tuple(kept))
        return Plan(tuple(row for row in kept if row.state in (*FREE, State.CACHED)), whole.collectable)
