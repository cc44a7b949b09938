"""The status of a site: its plan, the orphans of its store, and which orphan each new picture replaces."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.plan.diff import changed_fields, find_replaced
from mkdocs_gptimage.plan.states import CANDIDATE, CHANGED, NEW, ORPHANED, OUTDATED, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mkdocs_gptimage.plan.orphans import Orphan
    from mkdocs_gptimage.plan.plan import Plan, Row
    from mkdocs_gptimage.spec.digest import Digest


@dataclass(frozen=True)
class SiteStatus:
    """A plan and the stored pictures that no page uses."""

    plan: Plan
    orphans: Sequence[Orphan] = ()

    @functools.cached_property
    def replaced(self) -> Mapping[Digest, Orphan]:
        """The stored picture that each missing one replaces, by the digest of the missing one."""
        wanted = {row.digest: row.picture.spec.canonical for row in self.plan.rows if row.state is not State.CACHED}
        return find_replaced(wanted, self.orphans)

    @functools.cached_property
    def outdated(self) -> frozenset[Digest]:
        """The digests of the pictures that edited blocks showed before."""
        return frozenset(orphan.digest for orphan in self.replaced.values())

    def changed(self, row: Row) -> tuple[str, ...]:
        """The fields in which a picture differs from the stored one that it replaces; empty without one."""
        replaced = self.replaced.get(row.digest)
        return changed_fields(replaced.request, row.picture.spec.canonical) if replaced else ()

    def state(self, row: Row) -> str:
        """The state of a picture as text, `changed (prompt, size)`."""
        if row.state is not State.MISSING:
            return str(row.state.value)
        fields = self.changed(row)
        return f"{CHANGED} ({', '.join(fields)})" if fields else NEW

    def state_of_orphan(self, orphan: Orphan) -> str:
        if orphan.candidate_of is not None:
            return CANDIDATE
        return OUTDATED if orphan.digest in self.outdated else ORPHANED
