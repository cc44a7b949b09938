"""A read-only view of the journal, for plans."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.spec.digest import Digest


@dataclass(frozen=True)
class JournalSnapshot:
    """What was submitted and is not stored yet, and which runs are alive."""

    submissions: Mapping[Digest, Submission] = field(default_factory=dict)
    alive: frozenset[str] = frozenset()
    """The leases of other runs that are under way."""

    def is_leased(self, submission: Submission) -> bool:
        """Whether another run that is alive works on this submission."""
        return submission.run in self.alive
