"""Prints plans, checks and results as plain text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.generate import progress
from mkdocs_gptimage.plan.messages import describe
from mkdocs_gptimage.plan.states import CHANGED, NEW, State
from mkdocs_gptimage.report.listing import shown_path
from mkdocs_gptimage.text import Problem, counted, escaped, quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from mkdocs_gptimage.catalog.catalog import Picture
    from mkdocs_gptimage.generate.result import RunResult
    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.maintenance.regenerate import RegenerationResult
    from mkdocs_gptimage.plan.orphans import Orphan
    from mkdocs_gptimage.plan.plan import Row
    from mkdocs_gptimage.plan.status import SiteStatus
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.store.entry import Damage, Leftover


_PROMPT_COLUMNS = 50


@dataclass(frozen=True)
class StoreCondition:
    """The result of a check of the store."""

    damages: Mapping[Digest, Damage]
    """By digest; only of pictures that pages use."""
    leftovers: Sequence[Leftover]
    """Harmless: they do not make a check fail."""


def status_text(status: SiteStatus, *, condition: StoreCondition | None = None, verbose: bool = False) -> str:
    """A line per picture, aligned, with the reason where a decision is needed; then the totals.

    With `verbose`, each is followed by its whole prompt.
    """
    cells = [_cells(status, row) for row in status.plan.rows] + [_orphan_cells(status, each) for each in status.orphans]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)] if cells else []
    prompts = [row.picture.spec.prompt for row in status.plan.rows] + [prompt_of(each) for each in status.orphans]
    reasons = [str(describe(row)) if row.state.traits.needs_decision else "" for row in status.plan.rows]
    reasons += [""] * len(status.orphans)
    lines = []
    for each, prompt, reason in zip(cells, prompts, reasons, strict=True):
        shown = each if not verbose else each[:-1]
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(shown, widths, strict=False)).rstrip())
        lines += [f"    {line}".rstrip() for line in prompt.splitlines()] if verbose else []
        lines += [f"    {reason}"] if reason else []
    if condition is not None:
        lines += leftover_lines(condition.leftovers)
    return "\n".join([*lines, counts_line(status), *status_notes(status)])


def leftover_lines(found: Iterable[Leftover]) -> list[str]:
    return [escaped(f"{each.path}: {each.reason}", keep="") for each in found]


def status_notes(status: SiteStatus) -> list[str]:
    """A line each on unclaimed submissions and on orphans."""
    notes = []
    count = len(status.plan.unclaimed)
    if count:
        verb, them = ("is", "it") if count == 1 else ("are", "them")
        notes.append(
            f"{count} more {verb} in flight that no page asks for: 'gptimage generate' collects {them} for free"
        )
    if status.orphans:
        states = [status.state_of_orphan(orphan) for orphan in status.orphans]
        kinds = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        size = size_text(sum(orphan.entry.image.bytes for orphan in status.orphans))
        notes.append(f"Stored, and on no page: {kinds}, {size}: 'gptimage prune' lists what can go")
    return notes


def _cells(status: SiteStatus, row: Row) -> tuple[str, ...]:
    spec = row.picture.spec
    more = len(row.picture.uses) - 1
    where = f"{row.picture.where} (+{more})" if more else row.picture.where
    cost = "" if row.price is None else f"${row.price:.4g}"
    size = spec.size or "reference"
    return (
        row.digest.short,
        status.state(row),
        size,
        spec.resolution,
        cost,
        where,
        escaped(shortened_prompt(spec.prompt)),
    )


def _orphan_cells(status: SiteStatus, orphan: Orphan) -> tuple[str, ...]:
    request = orphan.request
    size, resolution = str(request.get("size", "reference")), str(request.get("resolution", ""))
    prompt = escaped(shortened_prompt(prompt_of(orphan)))
    return orphan.digest.short, status.state_of_orphan(orphan), size, resolution, "", "-", prompt


def prompt_of(orphan: Orphan) -> str:
    return str(orphan.request.get("prompt", ""))


def shortened_prompt(prompt: str, columns: int = _PROMPT_COLUMNS) -> str:
    """A prompt on one line of at most `columns` characters."""
    line = " ".join(prompt.split())
    return line if len(line) <= columns else line[: columns - 1] + "…"


def counts_line(status: SiteStatus) -> str:
    """`12 pictures: 9 cached, 2 new, 1 changed; 3 to pay for ($0.042)`."""
    plan = status.plan
    changed = sum(bool(status.changed(row)) for row in plan.only(State.MISSING))
    parts = []
    for state in State:
        count = plan.count(state)
        if state is State.MISSING:
            parts += [f"{count - changed} {NEW}"] if count > changed else []
            parts += [f"{changed} {CHANGED}"] if changed else []
        elif count or state is State.CACHED:
            parts.append(f"{count} {state.value}")
    missing = plan.count(State.MISSING)
    to_pay = f"; {missing} to pay for ({price_text(plan.price)})" if missing else ""
    return f"{counted(len(plan.rows), 'picture')}: {', '.join(parts)}{to_pay}"


def price_text(usd: float | None) -> str:
    """`$0.042`, or `price not set`."""
    return "price not set" if usd is None else f"${usd:.4g}"


def size_text(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def orphan_problems(orphans: Iterable[Orphan], project: Path) -> list[Problem]:
    """A problem for each stored picture that no page uses, located at its record, `gptimage/3f/3f9a….json`."""
    return [
        Problem(_orphan_problem(orphan), shown_path(orphan.entry.path.with_suffix(".json"), project))
        for orphan in orphans
    ]


def _orphan_problem(orphan: Orphan) -> str:
    digest, prompt = orphan.digest.short, quote(shortened_prompt(prompt_of(orphan)))
    if orphan.candidate_of is None:
        return f"no page asks for the picture {digest}, {prompt}; 'gptimage prune --apply' deletes it"
    return (
        f"the candidate {digest} for the picture {orphan.candidate_of.short}, {prompt}, waits for a decision: "
        f"'gptimage regenerate --accept {digest}', or '--discard {digest}'"
    )


def damage_problems(damages: Iterable[Damage], project: Path) -> list[Problem]:
    """A problem for each damaged picture of the store, with what to do."""
    problems = []
    for damage in damages:
        file = shown_path(damage.path, project) if damage.path else ""
        remedy = f". {damage.remedy}" if damage.remedy else ""
        problems.append(Problem(f"the picture {damage.digest.short} is damaged: {damage.reason}{remedy}", file))
    return problems


def store_text(count: int, damages: Sequence[Damage], left: Iterable[Leftover], project: Path) -> str:
    """The problems of the store, a line each, and the totals."""
    return "\n".join(
        [*map(str, damage_problems(damages, project)), *leftover_lines(left), verified_line(count, damages)]
    )


def verified_line(count: int, damages: Sequence[Damage]) -> str:
    """`12 pictures in the store: 11 whole, 1 damaged`."""
    broken = f", {len(damages)} damaged" if damages else ""
    return f"{counted(count, 'picture')} in the store: {count - len(damages)} whole{broken}"


def result_text(result: RunResult) -> str:
    """The problems of a run, a line each, its totals, and advice."""
    advice = progress.advice(result.outcomes) if result.problems else ""
    return "\n".join(filter(None, [*map(str, result.problems), progress.summary(result.plan, result.outcomes), advice]))


def regeneration_text(
    result: RunResult, regenerated: Sequence[RegenerationResult], children: Sequence[Picture], project: Path
) -> str:
    """A result, the outcome of each regenerated picture, and the pictures drawn from its previous version."""
    lines = [result_text(result)]
    for each in regenerated:
        digest = each.picture.spec.digest.short
        if each.taken is not None:
            lines.append(f"{each.picture.where}: {digest} is the new picture, {shown_path(each.taken.path, project)}")
        for orphan in each.waiting:
            file = shown_path(orphan.entry.path, project)
            taking = f"'gptimage regenerate --accept {orphan.digest.short}' takes it"
            lines.append(f"{each.picture.where}: candidate for {digest}: {file}; {taking}")
    lines += [
        f"{child.where}: {digest} was drawn from the previous picture; 'gptimage regenerate {digest}' draws it anew"
        for child in children
        if (digest := child.spec.digest.short)
    ]
    return "\n".join(lines)


def submission_line(submission: Submission) -> str:
    """One line on a picture that was submitted and is not stored."""
    service = submission.base_url or "an unknown service"
    page = f"{submission.where}: " if submission.where else ""
    task = f" (task {submission.task_id})" if submission.task_id else ""
    return f"{page}{submission.digest.short} was submitted to {service} at {submission.sent}{task}"
