"""Plans and results → text for people and JSON for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import production, progress
from .planning import Plan, Row, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .production import Result
    from .store import Damage, Leftover

_PROMPT_COLUMNS = 50


@dataclass(frozen=True)
class Condition:
    """What a check of the store has found."""

    damages: Mapping[str, Damage]
    """By digest; of pictures that pages ask for."""
    leftovers: Sequence[Leftover]
    """In nobody's way: they do not make a check fail."""


def as_text(plan: Plan, condition: Condition | None = None) -> str:
    """A line per picture, aligned, what is not in the store with its reason; and a line that counts."""
    cells = [_cells(row) for row in plan.rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)] if cells else []
    lines = []
    for row, each in zip(plan.rows, cells, strict=True):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(each, widths, strict=True)).rstrip())
        if row.state in (State.BROKEN, State.UNKNOWN, State.ELSEWHERE):
            lines.append(f"    {production.describe(row)}")
    if condition is not None:
        lines += [f"{each.path}: {each.reason}" for each in condition.leftovers]
    return "\n".join([*lines, counted(plan), *_strays(plan)])


def _strays(plan: Plan) -> list[str]:
    count = len(plan.strays)
    if not count:
        return []
    verb, them = ("is", "it") if count == 1 else ("are", "them")
    said = f"{count} more {verb} in flight that no page asks for: 'gptimage generate' collects {them} for free"
    return [said]


def _cells(row: Row) -> tuple[str, ...]:
    spec = row.picture.spec
    more = len(row.picture.uses) - 1
    where = f"{row.picture.where} (+{more})" if more else row.picture.where
    price = "" if row.price is None else f"${row.price:.4g}"
    prompt = " ".join(spec.prompt.split())
    shortened = prompt if len(prompt) <= _PROMPT_COLUMNS else prompt[: _PROMPT_COLUMNS - 1] + "…"
    return row.digest[:12], row.state.value, spec.size or "reference", spec.resolution, price, where, shortened


def counted(plan: Plan) -> str:
    """`12 pictures: 9 cached, 3 missing ($0.042)`."""
    parts = []
    for state in State:
        count = plan.count(state)
        if not count and state is not State.CACHED:
            continue
        price = ""
        if state is State.MISSING:
            price = " (price not set)" if plan.price is None else f" (${plan.price:.4g})"
        parts.append(f"{count} {state.value}{price}")
    return f"{len(plan.rows)} {'picture' if len(plan.rows) == 1 else 'pictures'}: {', '.join(parts)}"


def as_json(plan: Plan, problems: Sequence[str], condition: Condition | None = None) -> str:
    """A plan as a JSON object: `pictures`, `counts`, `price_usd`, `strays` and the `problems` of blocks.

    With a store that was checked, a picture also has its `damage` or null, and the object the store's `leftovers`.
    """
    told = _plan(plan, problems)
    if condition is not None:
        for picture in told["pictures"]:
            picture["damage"] = _damage(condition.damages.get(picture["digest"]))
        told["leftovers"] = [{"file": str(each.path), "reason": each.reason} for each in condition.leftovers]
    return _dump(told)


def _damage(damage: Damage | None) -> dict[str, Any] | None:
    if damage is None:
        return None
    return {"kind": damage.kind.value, "file": str(damage.path) if damage.path else None, "reason": damage.reason}


def _plan(plan: Plan, problems: Sequence[str]) -> dict[str, Any]:
    return {
        "pictures": [_picture(row) for row in plan.rows],
        "counts": {state.value: plan.count(state) for state in State},
        "price_usd": plan.price,
        "strays": [{"digest": flight.digest, "where": flight.where} for flight in plan.strays],
        "problems": list(problems),
    }


def _picture(row: Row) -> dict[str, Any]:
    spec = row.picture.spec
    return {
        "digest": row.digest,
        "state": row.state.value,
        "detail": row.detail or None,
        "prompt": spec.prompt,
        "size": spec.size,
        "resolution": spec.resolution,
        "price_usd": row.price,
        "uses": [{"page": use.source.name, "line": use.line} for use in row.picture.uses],
    }


def result_as_text(result: Result) -> str:
    """What was not made, a line each, a line that counts, and what to do about the rest."""
    advice = progress.advice(result.outcomes) if result.problems else ""
    return "\n".join(filter(None, [*result.problems, progress.summary(result.plan, result.outcomes), advice]))


def result_as_json(result: Result) -> str:
    """A result as JSON: its plan, what was made, and what was not."""
    made = [outcome.entry for outcome in result.outcomes if outcome.entry is not None]
    return _dump(
        {
            **_plan(result.plan, result.problems),
            "generated": [
                {"digest": entry.digest, "file": str(entry.path), "cost_usd": entry.made.cost_usd} for entry in made
            ],
        }
    )


def _dump(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
