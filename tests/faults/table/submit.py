"""Faults of a submit."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import socket
from dataclasses import replace
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import scripted_service as gateways
from scripted_service import Answer, accepts, encoded, fails, picture, says

from . import wires
from .cells import DENIED, LEFT, MADE, REFUSED, STOPPED, UNKNOWN, Cell, World, at, both, link
from .labels import LABELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cells import End

SHAPES: dict[str, Callable[[str], Any]] = {
    "a list of texts": lambda url: {"data": [url]},
    "a text": lambda url: {"image": f"  {url}\n"},
    "under output": lambda url: {"output": {"image_urls": [url]}},
    "a list under output": lambda url: {"id": "x", "output": [url]},
    "deep": lambda url: {"code": 0, "data": {"data": {"result": {"images": [{"image_url": url}]}}}},
    "JSON in a text": lambda url: {"data": {"resultJson": json.dumps({"resultUrls": [url]})}},
    "beside what was asked for": lambda url: {"request": {"image_urls": ["https://a/b.png"]}, "result": {"url": url}},
    "in Markdown": lambda url: {"choices": [{"message": {"content": f"Here:\n\n![a cat]({url})\n\nEnjoy."}}]},
    "in HTML": lambda url: {"output": f'<p><img alt="" src="{url}"></p>'},
    "beside a link that leads nowhere": lambda url: {"images": [{"uri": "s3://a/b.png", "url": url}]},
    "beside its file's name": lambda url: {"outputs": {"9": {"images": [{"filename": "b.png", "final": url}]}}},
    "beside its owner's": lambda url: {"data": {"user": {"picture": "https://a/b.png"}, "output": url}},
}
"""Where a picture may lie in an answer."""


def _stream(*events: Any) -> Answer:
    """Server-sent events."""
    lines = [f"data: {json.dumps(event)}" for event in events]
    return Answer(body="\n\n".join([": keep-alive", *lines, "data: [DONE]", ""]).encode())


def _around(before: bytes, after: bytes = b"") -> Answer:
    """An answer with other text around it."""
    return Answer(body=before + accepts("task_1").body + after)


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


def _tomorrow(_: Any) -> Answer:
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    return fails(429, "slow down", retry_after=format_datetime(moment, usegmt=True))


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
    _ok(
        "429 and a day",
        fails(429, "slow down", retry_after="86400"),
        STOPPED,
        "the service asks to wait 24 h, until … UTC (HTTP 429: slow down)",
    ),
    _ok("429 and tomorrow", _tomorrow, STOPPED, "the service asks to wait … h…, until … UTC (HTTP 429: slow down)"),
    Cell(
        "429 and ten minutes, again and again",
        at("submit", fails(429, "slow down", retry_after="600"), stays=True),
        STOPPED,
        "submit×4",
        "the service asks to wait 10 min, until … UTC (HTTP 429: slow down)",
        speed=1000,
    ),
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
    *[
        _ok(f"only an error: {fault}", body, REFUSED, "HTTP 200: boom")
        for fault, body in {
            "a code of its own": {"code": 500, "message": "boom"},
            "a code in words": {"code": "bad_request", "message": "boom"},
            "a negative code": {"code": -1, "msg": "boom", "data": None},
            "an object": {"error": {"message": "boom"}, "data": []},
            "an object with a code": {"error": {"message": "boom", "code": 1234}},
            "a text": {"error": "boom", "request_id": "req_1"},
            "a list": {"errors": [{"message": "boom"}]},
            "a truth": {"error": True, "message": "boom"},
            "no success": {"success": False, "message": "boom"},
            "a status": {"status": "failed", "message": "boom"},
        }.items()
    ],
    *[
        _ok(f"used up: {code}", answer, STOPPED, f"HTTP {shown}: boom; the account's balance is used up")
        for code, shown, answer in (
            ("insufficient_user_quota", 200, says({"error": {"code": "insufficient_user_quota", "message": "boom"}})),
            ("credit_balance_exhausted", 429, fails(429, "boom", "credit_balance_exhausted", retry_after="1")),
            ("project_spend_limit_exceeded", 429, fails(429, "boom", "project_spend_limit_exceeded")),
            ("insufficient_quota", 403, fails(403, "boom", "insufficient_quota")),
            ("not_enough_credits", 400, fails(400, "boom", "not_enough_credits")),
        )
    ],
    *[
        _ok(f"used up, in words: {said}", {"success": False, "message": said}, STOPPED, f"HTTP 200: {said}; the …")
        for said in (
            "Your credit balance is too low",
            "Your account has run out of prepaid credits",
            "Please recharge your account",
            "You need to top up",
        )
    ],
    _ok("an error in a map", {"errors": {"size": ["is bad"]}}, REFUSED, 'HTTP 200: {"size": ["is bad"]}'),
    _ok("bytes that are no text", Answer(body=bytes(range(128, 256))), UNKNOWN, f"{SENT}… not JSON: bytes that are …"),
    _unreadable("a time-out inside", {"code": 408, "message": "boom"}, "…boom…"),
    _unreadable("a time-out by its name", {"error": {"code": "image_generation_timeout", "message": "x"}}, "…"),
    _unreadable("an indeterminate result", {"error": {"code": "idempotency_result_indeterminate"}}, "…"),
    _unreadable("an error beside fineness", {"code": 10000, "message": "Success"}, "…"),
    _unreadable("an error with an id of its own", {"id": "req_1", "error": "boom"}, "…boom…"),
    _unreadable("a task without an id", {"data": [{"status": "submitted"}]}, "…submitted…"),
    *[
        _ok(f"a task: {fault}", body, MADE, "", "submit batch download")
        for fault, body in {
            "a number": {"data": [{"task_id": 77}]},
            "a number under id": {"data": {"id": 77, "status": "queued"}},
            "a text": {"code": 200, "data": "task_1"},
            "a text in a list": {"code": 200, "data": ["task_1"]},
            "a text for the result": {"code": 1, "description": "accepted", "result": "1712205491372224"},
            "deeper": {"code": 200, "data": {"task": {"id": "task_1"}}},
            "deeper, with a name": {"payload": {"job": {"id": 9, "input": {"task_id": "no"}}}},
            "under output": {"request_id": "r", "output": {"task_status": "PENDING", "task_id": "task_1"}},
            "in another spelling": {"data": {"taskId": "task_1"}},
            "in a list": [{"task_id": "task_1"}],
            "a list of ids": {"data": {"task_ids": ["task_1"]}},
            "in JSON once more": {"data": json.dumps({"task_id": "task_1"})},
            "JSON in a text": json.dumps({"data": [{"task_id": "task_1"}]}),
            "a number with a point": {"data": [{"task_id": 1712205491372224.0}]},
            "base64": {"data": [{"task_id": "dGFzay8x+Q=="}]},
            "long": {"data": [{"task_id": "t" * 500}]},
            "a UUID": {"data": [{"taskType": "draw", "taskUUID": "77-ab"}]},
            "of the request, under way": {"status": "IN_QUEUE", "request_id": "764-a"},
            "under its id": {"data": {"task_1": {"status": "queued"}}},
            "in a link": {"urls": {"get": "https://a.test/v1/tasks/task_1?model=x"}},
        }.items()
    ],
    *[
        _ok(f"a task {fault}", answer, MADE, "", "submit batch download")
        for fault, answer in {
            "in a stream": _stream({"ping": 1}, {"data": {"task_id": "task_1"}}),
            "behind a warning": _around(b"<br />\n<b>Warning</b>: a in <b>b.php</b><br />\n"),
            "before a comment": _around(b"", b"\n<!-- 12 ms -->"),
            "before another byte": _around(b"", b"\0"),
            "with a control character": Answer(body=b'{"message": "a\tb", "data": [{"task_id": "task_1"}]}'),
            "in a header alone": Answer(202, headers={"Location": "/v1/tasks/task_1"}),
        }.items()
    ],
    *[
        _ok(f"a picture {fault}", answer, MADE)
        for fault, answer in {
            "in place of JSON": Answer(body=picture("JPEG")),
            "at the end of a stream": _stream(
                {"type": "image.partial", "b64_json": encoded(picture(size=(8, 8)))},
                {"type": "image.completed", "b64_json": encoded(picture())},
            ),
        }.items()
    ],
    _ok(
        "an error around text",
        Answer(body=b'<html>{"error": "boom"}'),
        UNKNOWN,
        f"{SENT}the answer to the submit holds neither …",
    ),
    _unreadable("success with a code of its own", {"code": 1, "message": "Submit success"}, "…"),
    _unreadable("success in Chinese", {"code": 1, "msg": "\u63d0\u4ea4\u6210\u529f"}, "…"),
    _unreadable("an id that is a fraction", {"data": [{"task_id": 77.5}]}, "…77…"),
    _unreadable("an id that is a truth", {"data": [{"task_id": True}]}, "…"),
    _unreadable("a word for an id", {"code": 200, "data": "accepted"}, "…"),
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
    *[
        _ok(f"a link: {fault}", lambda request, shape=shape: says(shape(link(request))), MADE, "", "submit download")
        for fault, shape in SHAPES.items()
    ],
    *[
        _ok(f"bytes: {fault}", shape(f"data:image/png;base64,{encoded(picture())}"), MADE)
        for fault, shape in SHAPES.items()
    ],
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
        "submit download×6",
        "the image link does not work (HTTP 500)",
    ),
    *[
        Cell(
            f"a link that first gives {fault}",
            both(at("submit", lambda request: says({"data": [{"url": link(request)}]})), at("download", answer)),
            MADE,
            "submit download×2",
        )
        for fault, answer in (("404", Answer(404)), ("a cut picture", Answer(body=picture()[:-20])))
    ],
    Cell(
        "a link that has expired",
        both(
            at("submit", lambda request: says({"data": [{"url": link(request)}]})),
            at("download", Answer(410), stays=True),
        ),
        DENIED,
        "submit download×6",
        f"{SENT}the image link has expired (HTTP 410)",
    ),
]

LABELLED = [
    *[_ok(name, labelled(accepts("task_1")), MADE, "", "submit batch download") for name, labelled in LABELS.items()],
    *[
        _ok(f"a refusal, {name}", labelled(fails(400, "no")), REFUSED, "HTTP 400: no")
        for name, labelled in LABELS.items()
    ],
    _ok(
        "a length beyond its end",
        replace(accepts("task_1"), headers={"Content-Length": "999"}, cut=999),
        MADE,
        "",
        "submit batch download",
    ),
    _ok(
        "words that are not UTF-8",
        Answer(body='{"code": 200, "message": "déjà", "data": [{"task_id": "task_1"}]}'.encode("latin-1")),
        MADE,
        "",
        "submit batch download",
    ),
    _ok(
        "a refusal in GBK",
        Answer(400, '{"message": "余额"}'.encode("gbk"), {"Content-Type": "application/json; charset=GBK"}),
        REFUSED,
        "HTTP 400: 余额",
    ),
]

CELLS = [*CONNECTION, *STATUS, *BODY, *LABELLED]
