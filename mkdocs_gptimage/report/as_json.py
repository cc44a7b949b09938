"""Prints plans, checks and results as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.plan.orphans import parse_candidate
from mkdocs_gptimage.plan.states import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mkdocs_gptimage.generate.result import RunResult
    from mkdocs_gptimage.maintenance.prune import Pruning
    from mkdocs_gptimage.maintenance.regenerate import RegenerationResult
    from mkdocs_gptimage.plan.orphans import Orphan
    from mkdocs_gptimage.plan.plan import Plan, Row
    from mkdocs_gptimage.plan.status import SiteStatus
    from mkdocs_gptimage.report.as_text import StoreCondition
    from mkdocs_gptimage.store.entry import Damage, Leftover
    from mkdocs_gptimage.text import Problem


def status_json(status: SiteStatus, problems: Sequence[Problem], condition: StoreCondition | None = None) -> str:
    """A plan as an object: `pictures`, `counts`, `price_usd`, `strays`, `orphans` and the `problems` of blocks.

    A picture has `former`, the digest of the stored picture that it replaces, and `changed`, the fields that differ
    from that. With a checked store, it also has its `damage` or null, and the object the store's `leftovers`.
    """
    payload = _plan(status.plan, problems)
    for picture, row in zip(payload["pictures"], status.plan.rows, strict=True):
        replaced = status.replaced.get(row.digest)
        picture["changed"] = list(status.changed(row))
        picture["former"] = replaced.digest if replaced else None
        if condition is not None:
            picture["damage"] = _damage(condition.damages.get(row.digest))
    payload["orphans"] = [{**_orphan(each), "state": status.state_of_orphan(each)} for each in status.orphans]
    if condition is not None:
        payload["leftovers"] = _leftovers(condition.leftovers)
    return _dump(payload)


def store_json(count: int, damages: Iterable[Damage], leftovers: Iterable[Leftover]) -> str:
    """The check of a store alone: the number of `verified` pictures, `damages` and `leftovers`."""
    damaged = [{"digest": damage.digest, **(_damage(damage) or {})} for damage in damages]
    return _dump({"verified": count, "damages": damaged, "leftovers": _leftovers(leftovers)})


def result_json(result: RunResult) -> str:
    """The result of a run: its plan and problems, and the `generated` pictures."""
    return _dump(_result(result))


def regeneration_json(result: RunResult, regenerated: Iterable[RegenerationResult]) -> str:
    """The result of a run, and for each regenerated picture whether it was `replaced`, and its `candidates`."""
    pictures = [
        {
            "digest": each.picture.spec.digest,
            "replaced": each.taken is not None,
            "file": str(each.taken.path) if each.taken else None,
            "candidates": [_orphan(orphan) for orphan in each.waiting],
        }
        for each in regenerated
    ]
    return _dump({**_result(result), "regenerated": pictures})


def pruning_json(pruning: Pruning, status: SiteStatus, *, applied: bool) -> str:
    """Unused `orphans` of the store, unused or unfinished `files`, if they were `deleted`; `young` orphans stay."""
    gone, young = (
        [{**_orphan(each), "state": status.state_of_orphan(each)} for each in group]
        for group in (pruning.orphans, [*pruning.young, *pruning.later])
    )
    files = [str(path) for path in (*pruning.files, *pruning.unfinished)]
    return _dump({"orphans": gone, "young": young, "files": files, "deleted": applied})


def _plan(plan: Plan, problems: Sequence[Problem]) -> dict[str, Any]:
    return {
        "pictures": [_picture(row) for row in plan.rows],
        "counts": {state.value: plan.count(state) for state in State},
        "price_usd": plan.price,
        "strays": [{"digest": submission.digest, "where": submission.where} for submission in plan.unclaimed],
        "problems": [str(problem) for problem in problems],
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
        **({"answer": row.submission.answer} if row.submission is not None and row.submission.answer else {}),
    }


def _orphan(orphan: Orphan) -> dict[str, Any]:
    number = parse_candidate(orphan.request)
    return {
        "digest": orphan.digest,
        "file": str(orphan.entry.path),
        "bytes": orphan.entry.image.bytes,
        "prompt": orphan.request.get("prompt"),
        "candidate_of": orphan.candidate_of,
        "number": number[0] if number else None,
    }


def _damage(damage: Damage | None) -> dict[str, Any] | None:
    if damage is None:
        return None
    return {"kind": damage.kind.value, "file": str(damage.path) if damage.path else None, "reason": damage.reason}


def _leftovers(leftovers: Iterable[Leftover]) -> list[dict[str, str]]:
    return [{"file": str(each.path), "reason": each.reason} for each in leftovers]


def _result(result: RunResult) -> dict[str, Any]:
    entries = [outcome.entry for outcome in result.outcomes if outcome.entry is not None]
    generated = [
        {"digest": entry.digest, "file": str(entry.path), "cost_usd": entry.made.cost_usd} for entry in entries
    ]
    return {**_plan(result.plan, result.problems), "generated": generated}


def _dump(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
