"""Faults of a submit."""

from __future__ import annotations

import datetime as dt
import errno
import os
import socket
from dataclasses import replace
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import scripted_service as gateways
from scripted_service import Answer, accepts, encoded, fails, picture, says

from . import wires
from .cells import DENIED, LEFT, MADE, REFUSED, STOPPED, UNKNOWN, Cell, World, at, both, link

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cells import End

SHORT = {"timeout": dict.fromkeys(("1k", "2k", "4k"), 0.1)}
SENT = "submitted …: "
NETWORK = "; check the network and api.base_url"
ADDRESS = "; check api.base_url and api.submit_path"


def _sent_to(base_url: str) -> Callable[[World], None]:
    """The site names another address than the service's, and is corrected before the second run."""

    def happens(world: World) -> None:
        address = base_url.format(port=world.service.origin.rpartition(":")[2], unused=gateways.unused_port())
        api = replace(world.site.settings.api, base_url=address)
        world.site.settings = replace(world.site.settings, api=api)

    return happens


def _lacks(error: Exception) -> Callable[[World], None]:
    """This process lacks what a connection takes."""

    def happens(world: World) -> None:
        async def fail(*_: Any, **__: Any) -> None:
            raise error

        world.patch.setattr("anyio.connect_tcp", fail)

    return happens


def _name_not_known(world: World) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    world.patch.setattr(socket, "getaddrinfo", fail)
    _sent_to("http://images.test:{port}/v1")(world)


def _connection_not_accepted(world: World) -> None:
    """A socket whose queue is full: more connections to it are neither taken nor refused."""
    deaf = socket.socket()
    deaf.bind(("127.0.0.1", 0))
    deaf.listen(0)
    waiting = [socket.create_connection(deaf.getsockname())]
    for _ in range(3):
        more = socket.socket()
        more.setblocking(False)
        more.connect_ex(deaf.getsockname())
        waiting.append(more)
    world.mends.extend(each.close for each in (deaf, *waiting))
    world.patch.setattr("mkdocs_gptimage.service.client.CONNECT_SECONDS", 0.05)
    _sent_to(f"http://127.0.0.1:{deaf.getsockname()[1]}/v1")(world)


def _in_a_moment(_: Any) -> Answer:
    return fails(429, "slow down", retry_after=format_datetime(dt.datetime.now(dt.UTC), usegmt=True))


def _status(status: int, end: End, *, words: str = "boom", said: str = "", note: str = "", **more: Any) -> Cell:
    """A submit that is answered with a status."""
    said = said or f"{SENT if end is UNKNOWN else ''}HTTP {status}: {words}"
    fault = f"{status} {note}".strip()
    return Cell(fault, at("submit", fails(status, words, **more), stays=True), end, "submit", said)


def _busy(fault: str, first: Any, **more: Any) -> Cell:
    """A submit that is refused for the moment, and accepted after a wait."""
    return Cell(fault, at("submit", first), MADE, "submit×2 batch download", **more)


def _ok(fault: str, body: Any, end: End, said: str = "", asked: str = "submit") -> Cell:
    """A submit that is answered with 200 and a body; a function of the request may make it."""
    answer = body if callable(body) or isinstance(body, Answer) else says(body)
    return Cell(fault, at("submit", answer, stays=True), end, asked, said)


def _unreadable(fault: str, body: Any, excerpt: str) -> Cell:
    found = f"{SENT}the answer to the submit holds neither a task nor a picture: {excerpt}"
    return _ok(fault, body, UNKNOWN, found)


CONNECTION = [
    Cell(
        "too many open files",
        _lacks(OSError(errno.EMFILE, os.strerror(errno.EMFILE))),
        STOPPED,
        "",
        "127.0.0.1:… cannot be reached (too many open files; …)",
    ),
    Cell(
        "too little memory", _lacks(MemoryError()), STOPPED, "", "127.0.0.1:… cannot be reached (not enough memory; …)"
    ),
    Cell(
        "no more threads",
        _lacks(RuntimeError("can't start new thread")),
        STOPPED,
        "",
        "127.0.0.1:… cannot be reached (no more threads …)",
    ),
    Cell(
        "connection refused",
        _sent_to("http://127.0.0.1:{unused}/v1"),
        STOPPED,
        "",
        f"127.0.0.1:… cannot be reached (All connection attempts failed){NETWORK}",
    ),
    Cell(
        "name not known",
        _name_not_known,
        STOPPED,
        "",
        f"images.test:… cannot be reached ([Errno -2] Name or service not known){NETWORK}",
    ),
    Cell("connection not accepted", _connection_not_accepted, STOPPED, "", f"127.0.0.1:… cannot be reached{NETWORK}"),
    Cell(
        "no TLS there",
        _sent_to("https://127.0.0.1:{port}/v1"),
        STOPPED,
        "",
        f"127.0.0.1:… cannot be reached (…){NETWORK}",
    ),
    Cell(
        "closed before the answer",
        at("submit", Answer(vanish=True)),
        UNKNOWN,
        "submit",
        f"{SENT}127.0.0.1:… broke the connection (Server disconnected without sending a response.)",
    ),
    Cell(
        "reset before the answer",
        both(wires.resets, at("submit", Answer(vanish=True))),
        UNKNOWN,
        "submit",
        f"{SENT}127.0.0.1:… broke the connection",
    ),
    Cell(
        "closed inside the body",
        at("submit", replace(accepts("task_1"), cut=20)),
        UNKNOWN,
        "submit",
        f"{SENT}127.0.0.1:… broke the connection (peer closed connection without sending complete message body …)",
    ),
    Cell(
        "reset inside the body",
        both(wires.resets, at("submit", replace(accepts("task_1"), cut=20))),
        UNKNOWN,
        "submit",
        f"{SENT}127.0.0.1:… broke the connection",
    ),
    Cell(
        "no answer in time",
        at("submit", accepts("task_1", wait=0.4)),
        UNKNOWN,
        "submit",
        f"{SENT}127.0.0.1:… did not answer in time",
        api=SHORT,
    ),
    Cell(
        "an answer that is not HTTP",
        wires.speaks_nonsense_to_submits,
        UNKNOWN,
        "submit",
        f"{SENT}127.0.0.1:… broke the connection (illegal status line: …)",
    ),
]

STATUS = [
    _status(300, UNKNOWN),
    _status(301, REFUSED, said=f"HTTP 301: boom{ADDRESS}"),
    _status(302, UNKNOWN),
    _status(303, UNKNOWN),
    _status(304, UNKNOWN, said=f"{SENT}…"),
    _status(307, REFUSED, said=f"HTTP 307: boom{ADDRESS}", location="https://elsewhere.test/"),
    _status(308, REFUSED, said=f"HTTP 308: boom{ADDRESS}"),
    _status(400, REFUSED, words="size is not supported"),
    _status(401, STOPPED, said="HTTP 401: boom; check the key in APIMASTER_API_KEY"),
    _status(402, STOPPED, said="HTTP 402: boom; the account's balance is used up"),
    _status(403, STOPPED, said="HTTP 403: boom; check the key in APIMASTER_API_KEY"),
    _status(404, REFUSED, said=f"HTTP 404: boom{ADDRESS}"),
    _status(405, REFUSED, said=f"HTTP 405: boom{ADDRESS}"),
    _status(408, UNKNOWN),
    _status(409, UNKNOWN),
    _status(409, UNKNOWN, note="with a key that was used before", code="idempotency_key_reused"),
    _status(409, UNKNOWN, note="with an indeterminate result", code="idempotency_result_indeterminate"),
    Cell(
        "409 in progress for ever",
        at("submit", fails(409, "wait", "idempotency_in_progress", retry_after="0"), stays=True),
        UNKNOWN,
        "submit×6",
        f"{SENT}HTTP 409: wait",
    ),
    _busy("409 in progress once", fails(409, "wait", "idempotency_in_progress", retry_after="1")),
    _status(409, UNKNOWN, note="with a code never seen", code="idempotency_moon_is_full"),
    _status(410, REFUSED, said=f"HTTP 410: boom{ADDRESS}"),
    _status(413, REFUSED),
    _status(422, REFUSED),
    _status(425, UNKNOWN),
    Cell(
        "429 for ever",
        at("submit", fails(429, "slow down", retry_after="0"), stays=True),
        STOPPED,
        "submit×6",
        "HTTP 429: slow down",
    ),
    _busy("429 once", fails(429)),
    _busy("429 and a number", fails(429, retry_after="20")),
    _busy("429 and a date", _in_a_moment),
    _busy("429 and nonsense", fails(429, retry_after="soon")),
    _busy("429 and a year", fails(429, retry_after="31536000"), speed=10_000),
    _status(451, REFUSED),
    _status(500, UNKNOWN),
    _status(500, REFUSED, words="build_request_failed: size", note="with a message that proves it"),
    _status(500, REFUSED, note="with a code that proves it", code="build_request_failed"),
    _status(500, UNKNOWN, words="after build_request_failed", note="with the proof in the middle of a sentence"),
    _status(501, UNKNOWN),
    _status(502, UNKNOWN),
    _status(503, UNKNOWN),
    _busy("503 idempotency unavailable", fails(503, code="idempotency_unavailable")),
    _status(504, UNKNOWN),
    *[_status(status, UNKNOWN) for status in (520, 522, 524, 529, 599)],
    _ok("502 and HTML", Answer(502, b"<html>Bad gateway</html>"), UNKNOWN, f"{SENT}HTTP 502"),
    _ok("500 and nothing", Answer(500), UNKNOWN, f"{SENT}HTTP 500"),
    _ok("400 and plain text", Answer(400, b"no\r\nway"), REFUSED, "HTTP 400: no way"),
    _ok("400 and a list", says([1], 400), REFUSED, "HTTP 400"),
]

BODY = [
    _ok("HTML", Answer(body=b"<html>Hello"), UNKNOWN, f"{SENT}the answer is not JSON: <html>Hello"),
    _ok("nothing", Answer(), UNKNOWN, f"{SENT}the answer is not JSON: an empty body"),
    _ok("204", Answer(204), UNKNOWN, f"{SENT}the answer is not JSON: an empty body"),
    _ok("truncated JSON", Answer(body=b'{"code": 200, "da'), UNKNOWN, f"{SENT}the answer is not JSON: …"),
    _ok("a number", Answer(body=b"7"), UNKNOWN, f"{SENT}the answer to the submit holds neither …: 7"),
    _ok("an error with a code that refuses", {"code": 400, "message": "bad size"}, REFUSED, "HTTP 400: bad size"),
    _ok(
        "an empty account",
        {"code": 402, "error": {"message": "no money"}},
        STOPPED,
        "HTTP 402: no money; the account's balance is used up",
    ),
    _unreadable("an error with a code that proves nothing", {"code": 500, "message": "boom"}, "…boom…"),
    _unreadable("an error without a code", {"error": {"message": "boom"}}, "…boom…"),
    _unreadable("an error with an id of its own", {"id": "req_1", "error": "boom"}, "…boom…"),
    _unreadable("a task without an id", {"data": [{"status": "submitted"}]}, "…submitted…"),
    _unreadable("an id that is a number", {"data": [{"task_id": 77}]}, "…77…"),
    _unreadable("a refusal beside data", {"code": 400, "data": [{"seed": 7}]}, "…"),
    _unreadable("an empty list", {"code": 200, "data": []}, "…"),
    _unreadable("an id with a line break", {"data": [{"task_id": "a\nb"}]}, "…"),
    _ok("an id as text, with more", {"data": {"id": "t:1~x", "status": "queued"}}, MADE, "", "submit batch download"),
    Cell(
        "the task of another picture",
        at("submit", accepts("task_1"), stays=True),
        UNKNOWN,
        "submit×2 batch download",
        f"{SENT}the service gave it the task of another picture, task_1",
        prompts=("a", "b"),
    ),
    _ok(
        "a task and a picture at once",
        lambda request: says({"data": [{"task_id": "task_1", "url": link(request)}]}),
        MADE,
        "",
        "submit batch download",
    ),
    _ok("a link", lambda request: says({"data": [{"url": link(request)}]}), MADE, "", "submit download"),
    _ok("base64", {"created": 1, "data": [{"b64_json": encoded(picture())}]}, MADE),
    _ok(
        "base64 that is no picture",
        {"data": [{"b64_json": encoded(b"no")}]},
        UNKNOWN,
        f"{SENT}what was downloaded is not a PNG, JPEG or WebP picture…",
    ),
    _ok("base64 that is none", {"data": [{"b64_json": "!"}]}, UNKNOWN, f"{SENT}…"),
    Cell(
        "a link that does not work yet",
        both(
            at("submit", lambda request: says({"data": [{"url": link(request)}]})),
            at("download", Answer(500), stays=True),
        ),
        LEFT,
        "submit download×4",
        "the image link does not work (HTTP 500)",
    ),
    Cell(
        "a link that has expired",
        both(
            at("submit", lambda request: says({"data": [{"url": link(request)}]})),
            at("download", Answer(410), stays=True),
        ),
        DENIED,
        "submit download×2",
        f"{SENT}the image link has expired (HTTP 410)",
    ),
]

CELLS = [*CONNECTION, *STATUS, *BODY]
