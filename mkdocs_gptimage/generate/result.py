"""The result of a run: the plan it followed, and what became of each picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.generate.step import Step
from mkdocs_gptimage.plan.messages import describe, retry_command

if TYPE_CHECKING:
    from mkdocs_gptimage.generate.job import Outcome
    from mkdocs_gptimage.plan.plan import Plan, Row
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.store.entry import Entry
    from mkdocs_gptimage.text import Problem


@dataclass(frozen=True)
class RunResult:
    """What a run did."""

    plan: Plan
    outcomes: tuple[Outcome, ...] = ()

    @property
    def entries(self) -> dict[Digest, Entry]:
        """The pictures of the plan that are stored now, by digest."""
        made = {outcome.digest: outcome.entry for outcome in self.outcomes}
        return {row.digest: found for row in self.plan.rows if (found := row.entry or made.get(row.digest)) is not None}

    @property
    def problems(self) -> list[Problem]:
        """A problem for each picture that should be there and is not; first those that nothing was tried for."""
        blocked = [describe(row) for row in self.plan.blocked]
        rows = {row.digest: row for row in self.plan.rows}
        order = {digest: number for number, digest in enumerate(rows)}
        failed = [
            row.picture.problem(f"{outcome.step.value}: {outcome.problem.rstrip('.')}{_next(outcome.step, row)}")
            for outcome in sorted(self.outcomes, key=lambda outcome: order.get(outcome.digest, 0))
            if outcome.step is not Step.STORED and (row := rows.get(outcome.digest)) is not None
        ]
        return blocked + failed


def _next(step: Step, row: Row) -> str:
    """What becomes of a picture that a run did not make; of the others, the end of the list of problems tells."""
    if step is Step.FAILED:
        again = "the next build submits it again" if not row.picture.role else "it is not submitted again on its own"
        return f". Nothing is paid for it; {again}"
    if step is Step.UNKNOWN:
        return f". It may be paid for already, and is not submitted again on its own; {retry_command(row)} does"
    return ""
