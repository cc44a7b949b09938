"""Faults of the poll of one task, at a service that has no batch polls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripted_service import Answer, encoded, fails, picture, says, task

from . import wires
from .cells import DENIED, FAILED_TASK, LEFT, MADE, Cell, World, at, both, link
from .submit import SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cells import End

SOON = {"timeout": dict.fromkeys(("1k", "2k", "4k"), 5.0)}
GIVEN_UP = "not finished … s after its submit"
ENDED = "submitted …: the service says "
UNREAD = ", and gives no picture that this version understands"
FORGET = "'gptimage forget …' gives it up"

_single = at("batch", fails(404), stays=True)


def _polls(*answers: Any, stays: bool = False) -> Callable[[World], None]:
    return both(_single, at("poll", *answers, stays=stays))


def _passing(fault: str, *answers: Any, happens: Any = None, polls: int = 0) -> Cell:
    """Polls that go wrong, and then work."""
    asked = f"submit batch poll×{polls or len(answers) + 1} download"
    return Cell(fault, both(happens or (lambda _: None), _polls(*answers)), MADE, asked)


def _lasting(fault: str, answer: Any, said: str = "", *, happens: Any = None) -> Cell:
    """Polls that go wrong until the task's deadline."""
    whole = both(happens or (lambda _: None), _polls(answer, stays=True))
    found = f"{GIVEN_UP}; the last poll said: {said}" if said else GIVEN_UP
    return Cell(fault, whole, LEFT, "submit batch poll×n", found, SOON)


def _reported(fault: str, body: Any, end: End, said: str = "", **more: Any) -> Cell:
    """A poll that is answered with 200 and a body."""
    return Cell(
        fault,
        _polls(body if isinstance(body, Answer) else says(body), stays=True),
        end,
        **{"asked": "submit batch poll", "said": said, **more},
    )


def _impatient(world: World) -> None:
    world.patch.setattr("mkdocs_gptimage.service.client._POLL_SECONDS", 0.2)


def _old(status: str) -> Callable[[World], None]:
    """A task that an earlier run submitted more than a day ago."""

    def happens(world: World) -> None:
        world.in_flight(age=90_000)
        _polls(says({"data": task("task_1", status)}), stays=True)(world)

    return happens


def _only_for(task_id: str, answer: Answer) -> Callable[[World], None]:
    """One task is answered for in its own way."""

    def happens(world: World) -> None:
        usual = world.service.poll
        _polls(lambda request: answer if request.path.endswith(task_id) else usual(request), stays=True)(world)

    return happens


def _answers_with(shape: Callable[[str], Any]) -> Callable[[World], None]:
    """Polls are answered in a shape of their own around the picture's link."""
    return _polls(lambda request: says(shape(link(request))), stays=True)


def _finishes(status: dict[str, Any], shape: Callable[[str], Any]) -> Callable[[World], None]:
    """The task is finished, and its picture lies somewhere in it."""
    return _answers_with(lambda url: {"data": {"task_id": "task_1", **status, **_inside(shape(url))}})


def _inside(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in ("id", "code")}


def _under_output(url: str) -> Any:
    return {"output": {"image_urls": [url]}}


PASSING = [
    _passing("closed before the answer", *[Answer(vanish=True)] * 3),
    _passing("reset before the answer", Answer(vanish=True), happens=wires.resets),
    _passing("reset inside the body", Answer(body=b'{"data": {}}', cut=5), happens=wires.resets),
    _passing("no answer in time", Answer(wait=0.5), happens=_impatient),
    *[_passing(f"{status} once", fails(status)) for status in (302, 400, 402, 405, 408, 409, 425, 500, 502, 503, 504)],
    _passing("524 once", Answer(524, b"<html>")),
    _passing("429 and a number", fails(429, retry_after="3")),
    _passing("429 and nonsense", fails(429, retry_after="soon")),
    _passing("500 six times", *[fails(500)] * 6),
    _passing("404 for a while", *[fails(404)] * 4),
    _passing("HTML once", Answer(body=b"<html>")),
    _passing("nothing once", Answer()),
    _passing("truncated JSON once", Answer(body=b'{"data": {"id": "task_1", "status": "failed"')),
    _passing("an error inside", says({"error": {"message": "upstream busy"}})),
    _passing("status error around no task", says({"status": "error", "message": "try again"})),
    _passing("another's failed task", says({"data": task("task_9", "failed")})),
    _passing("a word never seen", says({"data": task("task_1", "dreaming")})),
    _passing("a word that is a number", says({"data": task("task_1", 3)})),  # type: ignore[arg-type] # on purpose
    _passing("completed without a link", says({"data": task("task_1", "completed")})),
    _passing("completed with an empty link", says({"data": {**task("task_1", "completed"), "result": {"url": ""}}})),
    _passing(
        "progress that goes backwards",
        *[says({"data": task("task_1", "processing", progress=done)}) for done in (80, 20, -5, 400)],
        says({"data": task("task_1", "submitted")}),
    ),
]

LASTING = [
    _lasting("closed for ever", Answer(vanish=True), "127.0.0.1:… broke the connection (…)"),
    _lasting("reset for ever", Answer(vanish=True), "127.0.0.1:… broke the connection", happens=wires.resets),
    _lasting("no answer for ever", Answer(wait=0.5), "127.0.0.1:… did not answer in time", happens=_impatient),
    _lasting("500 for ever", fails(500, "boom"), "HTTP 500: boom"),
    _lasting("402 for ever", fails(402, "no money"), "HTTP 402: no money"),
    _lasting("HTML for ever", Answer(body=b"<html>Hi"), "the answer is not JSON: <html>Hi"),
    _lasting("another's task for ever", says({"data": task("task_9", "failed")}), "the answer to a poll holds no …"),
    _lasting("never finished", says({"data": task("task_1", "processing")})),
    Cell(
        "a word never seen for ever",
        _polls(says({"data": task("task_1", "dreaming", message="of sheep")}), stays=True),
        LEFT,
        "submit batch poll×n",
        f"{GIVEN_UP}; the service's last word was 'dreaming': of sheep",
        SOON,
    ),
    Cell(
        "completed without a link for ever",
        _polls(says({"data": task("task_1", "completed")}), stays=True),
        DENIED,
        "submit batch poll×n",
        f"{ENDED}'completed'{UNREAD}",
    ),
    Cell(
        "429 and a day",
        both(_single, at("poll", fails(429, "slow down", retry_after="86400"))),
        LEFT,
        "submit batch poll",
        "the service asks to wait 24 h, until … UTC (HTTP 429: slow down)",
    ),
    Cell(
        "429 for longer than the deadline",
        _polls(fails(429, "slow down", retry_after="60")),
        MADE,
        "submit batch poll×2 download",
        api={"timeout": dict.fromkeys(("1k", "2k", "4k"), 30.0)},
    ),
]

ENDING = [
    Cell(
        "401 in the middle",
        _polls(says({"data": task("task_1", "processing")}), fails(401, "bad key"), stays=True),
        LEFT,
        "submit batch poll×2",
        "HTTP 401: bad key; check the key in APIMASTER_API_KEY",
    ),
    Cell(
        "403 for one task",
        _only_for("task_2", fails(403, "not yours")),
        LEFT,
        "submit×2 batch poll×n download",
        "HTTP 403: not yours; check the key in APIMASTER_API_KEY",
        prompts=("a", "b"),
    ),
    _reported("failed with words", {"data": task("task_1", "failed", error={"message": "no"})}, FAILED_TASK, "no"),
    _reported("failed with a string", {"data": task("task_1", "failed", error="no")}, FAILED_TASK, "no"),
    _reported("failed without words", {"data": task("task_1", "failed")}, FAILED_TASK, "'failed', without a reason"),
    *[
        _reported(
            f"ended as {word}", {"data": task("task_1", word)}, FAILED_TASK, f"'{word.lower()}', without a reason"
        )
        for word in ("fail", "rejected", "TASK_STATUS_FAILED", "Request Moderated", "aborted")
    ],
    *[
        Cell(f"finished as {word}", _finishes({"status": word}, _under_output), MADE, "submit batch poll download")
        for word in ("succeed", "SUCCESS", "TASK_STATUS_SUCCEED", "finished", "Ready")
    ],
    *[
        Cell(f"a picture: {fault}", _finishes({"status": "completed"}, shape), MADE, "submit batch poll download")
        for fault, shape in SHAPES.items()
    ],
    *[
        Cell(f"a picture, {word}", _finishes({"status": word}, _under_output), MADE, "submit batch poll download")
        for word in ("SUCCESS_WITH_WARNINGS", "Done!", "\u5df2\u5b8c\u6210")
    ],
    Cell(
        "a word in an object",
        _finishes({"status": {"state": "completed"}}, _under_output),
        MADE,
        "submit batch poll download",
    ),
    *[
        Cell(
            f"a picture beside {word!r} until time is up",
            _finishes({"status": word}, _under_output),
            MADE,
            "submit batch poll×n download",
            api=SOON,
        )
        for word in ("delivered", "not ready", 3, True)
    ],
    Cell("a picture in place of JSON", _polls(Answer(body=picture()), stays=True), MADE, "submit batch poll"),
    Cell("a word elsewhere", _finishes({"state": "success"}, _under_output), MADE, "submit batch poll download"),
    Cell("a picture and no word", _finishes({}, _under_output), MADE, "submit batch poll download"),
    Cell(
        "a picture beside its task",
        _answers_with(lambda url: {"task": task("task_1", "succeed"), "images": [{"image_url": url}]}),
        MADE,
        "submit batch poll download",
    ),
    *[
        Cell(
            f"a link to read: {fault}",
            _answers_with(lambda url, cut=cut: {"data": {**task("task_1", "completed"), "output": [cut(url)]}}),
            MADE,
            f"submit batch poll {'' if fault.startswith('bytes') else 'download'}".strip(),
        )
        for fault, cut in {
            "a path": lambda url: f"/{url.split('/', 3)[3]}",
            "without a scheme": lambda url: url.partition(":")[2],
            "white space": lambda url: f"\n {url} ",
            "quotes": lambda url: f'"{url}"',
            "angles": lambda url: f"<{url}>",
            "slashes that are escaped": lambda url: url.replace("/", "\\/"),
            "an ampersand that is escaped": lambda url: f"{url}?a=1&amp;b=2",
            "a host without a scheme": lambda url: url.partition("//")[2].replace("127.0.0.1", "localhost"),
            "bytes": lambda _: f"data:image/png;base64,{encoded(picture())}",
            "bytes, of a type alone": lambda _: f"image/png;base64,{encoded(picture())}",
            "bytes, without a type": lambda _: f"base64,{encoded(picture())}",
            "bytes, not called base64": lambda _: f"data:image/png,{encoded(picture())}",
        }.items()
    ],
    _reported(
        "finished in a shape never seen",
        {"data": task("task_1", "completed", message="see there", vault={"shelf": "seven"})},
        DENIED,
        f"{ENDED}'completed': see there{UNREAD}",
    ),
    _reported(
        "finished with an error",
        {"data": task("task_1", "completed", error={"message": "no idea"})},
        DENIED,
        f"{ENDED}'completed': no idea{UNREAD}",
    ),
    _reported(
        "an end never seen, with an error",
        {"data": task("task_1", "kaputt", fail_reason="no idea")},
        DENIED,
        f"{ENDED}'kaputt': no idea{UNREAD}",
    ),
    _reported("cancelled", {"data": task("task_1", "cancelled")}, FAILED_TASK, "'cancelled', without a reason"),
    _reported("an error with another's words", {"data": task("task_1", "error", message="oh")}, FAILED_TASK, "oh"),
    Cell(
        "404 for ever",
        _polls(fails(404, "task not found"), stays=True),
        DENIED,
        "submit batch poll×n",
        "submitted …: the service no longer knows the task task_1 (HTTP 404: task not found)",
    ),
    Cell("410 for ever", _polls(fails(410), stays=True), DENIED, "submit batch poll×n", "submitted …: the service …"),
    Cell("not finished after a day", _old("processing"), LEFT, "batch poll", f"{GIVEN_UP}; {FORGET}"),
    Cell("failed after a day", _old("failed"), FAILED_TASK, "batch poll", "'failed', without a reason"),
]


def _old_and_then(fault: str, said: str, *answers: Any, happens: Any = None) -> Cell:
    """A task that an earlier run submitted two days ago, and polls that go wrong."""
    before = both(lambda world: world.in_flight(age=200_000), happens or (lambda _: None))
    whole = both(before, at("batch", *answers, stays=True), at("poll", *answers, stays=True))
    return Cell(f"{fault} for a task of two days ago", whole, LEFT, "batch…", said)


OLD = [
    _old_and_then("closed", f"{GIVEN_UP}; the last poll said: 127.0.0.1:… broke the connection…", Answer(vanish=True)),
    _old_and_then("401", "HTTP 401: bad key; check the key in APIMASTER_API_KEY", fails(401, "bad key")),
    _old_and_then("403", "HTTP 403: no; check the key in APIMASTER_API_KEY", fails(403, "no")),
    *[
        _old_and_then(f"{status}", f"{GIVEN_UP}; the last poll said: HTTP {status}: no; {FORGET}", fails(status, "no"))
        for status in (302, 400, 402, 408, 429, 500, 503)
    ],
    _old_and_then(
        "HTML", f"{GIVEN_UP}; the last poll said: the answer is not JSON: <html>; {FORGET}", Answer(body=b"<html>")
    ),
    _old_and_then(
        "404 four times, then nothing heard",
        f"{GIVEN_UP}; the last poll said: HTTP 500: no; {FORGET}",
        *[fails(404)] * 4,
        fails(500, "no"),
    ),
]
CELLS = [*PASSING, *LASTING, *ENDING, *OLD]
