"""Faults of batch polls."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scripted_service import Answer, fails, says, task

from . import wires
from .cells import FAILED_TASK, LEFT, MADE, Cell, World, at, both
from .poll import GIVEN_UP, SOON, _impatient

if TYPE_CHECKING:
    from collections.abc import Callable


def _passing(fault: str, *answers: Any, happens: Any = None) -> Cell:
    """Batch polls that go wrong, and then work: no task is asked for alone."""
    asked = f"submit batch×{len(answers) + 1} download"
    return Cell(fault, both(happens or (lambda _: None), at("batch", *answers)), MADE, asked)


def _missing(fault: str, answer: Any, batches: str = "batch", polls: str = "poll", **more: Any) -> Cell:
    """Batch polls that tell nothing of the task: it is asked for alone."""
    whole = both(more.pop("happens", lambda _: None), at("batch", answer, stays=True))
    return Cell(fault, whole, MADE, f"submit {batches} {polls} download", **more)


def _shaped(fault: str, shape: Callable[[dict[str, Any]], Any]) -> Cell:
    """Batch polls that answer in a shape of their own."""

    def happens(world: World) -> None:
        world.service.batch = lambda _: says(shape(world.service.finished("task_1")))

    return Cell(fault, happens, MADE, "submit batch download")


def _lasting(fault: str, answer: Any, said: str, requests: str = "submit batch…", happens: Any = None) -> Cell:
    whole = both(happens or (lambda _: None), at("batch", answer, stays=True), at("poll", answer, stays=True))
    return Cell(fault, whole, LEFT, requests, f"{GIVEN_UP}{said}", SOON)


def _old(status: str) -> Callable[[World], None]:
    def happens(world: World) -> None:
        world.in_flight(age=90_000)
        world.service.batch = says({"data": [task("task_1", status)]})

    return happens


CELLS = [
    _passing("closed before the answer", Answer(vanish=True)),
    _passing("reset before the answer", Answer(vanish=True), happens=wires.resets),
    _passing("reset inside the body", Answer(body=b'{"data": []}', cut=5), happens=wires.resets),
    _passing("too slow once", Answer(wait=0.5), happens=_impatient),
    *[_passing(f"{status} once", fails(status)) for status in (408, 429, 500, 502, 503, 504)],
    *[_passing(f"{status} once", Answer(status, b"<html>")) for status in (520, 524, 529)],
    _passing("500 twice", fails(500), fails(500)),
    _passing("429 and a number", fails(429, retry_after="3")),
    _passing("a word never seen", says({"data": [task("task_1", "dreaming")]})),
    _missing("completed without a link", says({"data": [task("task_1", "completed")]})),
    _missing("429 and a day to batch only", fails(429, retry_after="86400"), batches="batch×n"),
    _missing("ended as nobody knows", says({"data": [task("task_1", "kaputt", error="no idea")]})),
    _shaped("a list under data.items", lambda done: {"data": {"items": [done]}}),
    _passing(
        "progress that goes backwards", *[says({"data": [task("task_1", "running", progress=p)]}) for p in (9, 1)]
    ),
    *[_missing(f"{status} to batch only", fails(status)) for status in (400, 402, 404, 405, 422, 501)],
    _missing("403 to batch only", fails(403), batches="batch×n"),
    _missing("500 to batch only", fails(500), batches="batch×3"),
    _missing("524 to batch only", Answer(524, b"<html>"), batches="batch×3"),
    _missing("closed to batch only", Answer(vanish=True), batches="batch×3"),
    _missing("too slow to batch only", Answer(wait=0.5), batches="batch×3", happens=_impatient),
    _missing("408 to batch only", fails(408), batches="batch×3"),
    _missing("HTML", Answer(body=b"<html>")),
    _missing("nothing", Answer()),
    _missing("truncated JSON", Answer(body=b'{"data": [{"id": "task_1"')),
    _missing("all ids missing", says({"data": []})),
    _missing("only another's task", says({"data": [task("task_9", "failed")]})),
    _missing("no status", says({"data": [{"id": "task_1"}]})),
    _missing("an error inside", says({"error": {"message": "upstream busy"}})),
    _missing("status error around nothing", says({"status": "error", "message": "try again"})),
    Cell(
        "an id missing",
        lambda world: setattr(world.service, "batch", lambda _: says({"data": [world.service.finished("task_1")]})),
        MADE,
        "submit×2 batch×n poll×n download×2",
        prompts=("a", "b"),
    ),
    _shaped("a list", lambda done: [done]),
    _shaped("a list under data", lambda done: {"code": 200, "data": [done]}),
    _shaped("a mapping under data", lambda done: {"data": {"task_1": done}}),
    _shaped("a mapping without ids inside", lambda done: {"data": {"task_1": {**done, "id": None}}}),
    _shaped("a list under data.tasks", lambda done: {"data": {"tasks": [done]}}),
    _shaped("a list under tasks", lambda done: {"tasks": [done]}),
    _shaped("tasks inside objects", lambda done: {"data": [{"code": 200, "data": done}]}),
    _shaped("tasks with task_id", lambda done: {"data": [{**done, "id": 7, "task_id": "task_1"}]}),
    _shaped("other tasks beside it", lambda done: {"data": [task("task_9", "failed"), done, None, 7, "x"]}),
    Cell(
        "401 in the middle",
        at("batch", says({"data": [task("task_1", "running")]}), fails(401, "bad key"), stays=True),
        LEFT,
        "submit batch×2",
        "HTTP 401: bad key; check the key in APIMASTER_API_KEY",
    ),
    Cell(
        "failed",
        at("batch", says({"data": [task("task_1", "failed", error="refused by moderation")]})),
        FAILED_TASK,
        "submit batch",
        "refused by moderation",
    ),
    Cell(
        "failed without words",
        both(
            at("batch", says({"data": [task("task_1", "error")]})),
            at("poll", says({"data": task("task_1", "error")})),
        ),
        FAILED_TASK,
        "submit batch poll",
        "'error', without a reason",
    ),
    _lasting("500 for ever", fails(500, "boom"), "; the last poll said: HTTP 500: boom"),
    _lasting("never finished", says({"data": [task("task_1", "running")]}), "", "submit batch×n"),
    Cell("not finished after a day", _old("running"), LEFT, "batch", f"{GIVEN_UP}; 'gptimage forget …' gives it up"),
    Cell("failed after a day", _old("failed"), FAILED_TASK, "batch", "'failed', without a reason"),
    Cell(
        "finished after a week",
        lambda world: world.in_flight(age=600_000),
        replace(MADE, charged=1),
        "batch download",
    ),
    Cell("the clock was set back", lambda world: world.in_flight(age=-90_000), MADE, "batch download"),
]
