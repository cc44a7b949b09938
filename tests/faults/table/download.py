"""Faults of a download."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import scripted_service as gateways
from scripted_service import Answer, encoded, fails, picture, says, task

from . import wires
from .cells import LEFT, MADE, NEVER, Cell, World, at, both
from .labels import LABELS

if TYPE_CHECKING:
    from collections.abc import Callable

PICTURE = Answer(body=picture())
BROKE_OFF = "the download from 127.0.0.1 broke off "
NO_PICTURE = "what was downloaded is not a PNG, JPEG or WebP picture…"


ONE_DOWNLOAD = "submit batch download"
EVER = "poll×4 download×6"
GONE = "poll×5 download×6"
LEADS_NOWHERE = "has expired or leads nowhere yet"


def _once(fault: str, *answers: Any, polls: str = "", **more: Any) -> Cell:
    """Downloads that go wrong, and then work."""
    happens = both(more.pop("happens", lambda _: None), at("download", *answers))
    return Cell(fault, happens, MADE, f"submit batch {polls}download×{len(answers) + 1}", **more)


def _ever(fault: str, answer: Any, said: str, downloads: str = EVER, **more: Any) -> Cell:
    """Downloads that go wrong in the whole run."""
    happens = both(more.pop("happens", lambda _: None), at("download", answer, stays=True))
    return Cell(fault, happens, LEFT, f"submit batch {downloads}".strip(), said, **more)


def _spoiled(fault: str, body: bytes, said: str) -> Cell:
    """Bytes that arrive whole and are no picture: a fresh link may lead to others."""
    return _ever(fault, Answer(body=body), said, GONE)


def _linked(to: str) -> Callable[[World], None]:
    """The task is finished, and its picture is elsewhere."""

    def happens(world: World) -> None:
        address = to.format(origin=world.service.origin, unused=gateways.unused_port())
        world.service.batch = lambda _: says({"data": [task("task_1", "completed", address)]})
        world.service.poll = lambda _: says({"data": task("task_1", "completed", address)})

    return happens


def _redirected(to: str) -> Callable[[World], None]:
    """Every link to `a.png` redirects; what follows is the picture."""

    def happens(world: World) -> None:
        address = to.format(port=world.service.origin.rpartition(":")[2])
        sent_on = Answer(302, headers={"Location": address})
        _linked("{origin}/a.png")(world)
        world.service.download = lambda request: sent_on if request.path == "/a.png" else PICTURE

    return happens


def _signed_anew(refusal: Answer) -> Callable[[World], None]:
    """A link that is different each time, as signatures make it, of which the first ones do not work."""

    def happens(world: World) -> None:
        signatures = itertools.count(1)

        def finished() -> dict[str, Any]:
            return task("task_1", "completed", f"{world.service.origin}/a.png?signature={next(signatures)}")

        world.service.batch = lambda _: says({"data": [finished()]})
        world.service.poll = lambda _: says({"data": finished()})
        world.service.download = lambda request: PICTURE if request.path[-1] in "3456789" else refusal

    return happens


def _framed(data: bytes) -> bytes:
    """A body as `aws-chunked` frames it."""
    pieces = (data[:100], data[100:], b"")
    return b"".join(b"%x;chunk-signature=ab\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def _impatient(world: World) -> None:
    world.patch.setattr("mkdocs_gptimage.service.download._READ_SECONDS", 0.2)


def _insecure(world: World) -> None:
    """An API that is reached over https has given a link to a host that is not."""
    origin = world.service.origin
    secure = replace(world.site.settings.api, base_url=f"https://{origin.partition('//')[2]}/v1")
    world.site.settings = world.healthy = replace(world.site.settings, api=secure)
    world.in_flight(None, link=f"{origin}/a.png", age=90_000)


CELLS = [
    Cell(
        "connection refused",
        _linked("http://127.0.0.1:{unused}/a.png"),
        LEFT,
        "submit batch poll×4",
        f"{BROKE_OFF}(All connection attempts failed)",
    ),
    _once("closed before the answer", Answer(vanish=True)),
    _once("reset before the answer", Answer(vanish=True), happens=wires.resets),
    _once("closed in the middle", replace(PICTURE, cut=30)),
    _once("reset in the middle", replace(PICTURE, cut=30), happens=wires.resets),
    _once("no answer in time", replace(PICTURE, wait=0.5), happens=_impatient),
    *[_once(f"{status} once", Answer(status)) for status in (202, 204, 408, 423, 425, 429, 500, 503, 520)],
    *[_once(f"{status} once", Answer(status), polls="poll ") for status in (404, 410)],
    *[_once(f"{status} without the key", Answer(status)) for status in (401, 403)],
    _once("403 once, with the key as well", Answer(403), Answer(403), polls="poll "),
    _once("all of it in turn", Answer(500), Answer(vanish=True), Answer(429), Answer(404), polls="poll×3 "),
    _once("there after half a minute", *[Answer(404)] * 5, polls="poll×5 "),
    *[
        _once(f"{fault} once", Answer(body=body), polls="poll ")
        for fault, body in (("empty", b""), ("HTML", b"<html>Wait"), ("too short", picture()[:-20]))
    ],
    Cell(
        "each poll gives another link, and the last one works",
        _signed_anew(Answer(404)),
        MADE,
        "submit batch poll×2 download×3",
    ),
    _ever("closed for ever", Answer(vanish=True), f"{BROKE_OFF}(Server disconnected …)"),
    _ever("reset for ever", Answer(vanish=True), f"{BROKE_OFF}(…)", happens=wires.resets),
    _ever("cut for ever", replace(PICTURE, cut=30), f"{BROKE_OFF}(peer closed connection …)"),
    _ever("no answer for ever", replace(PICTURE, wait=0.5), f"{BROKE_OFF}(ReadTimeout)", happens=_impatient),
    _ever("429 for ever", Answer(429), "the image link does not work (HTTP 429)"),
    _ever("500 for ever", Answer(500), "the image link does not work (HTTP 500)"),
    *[
        _ever(f"{status} for ever", Answer(status), f"the image link {found} (HTTP {status})", asked)
        for status, found, asked in (
            (401, "does not work", "poll×5 download×12"),
            (403, LEADS_NOWHERE, "poll×5 download×12"),
            (404, LEADS_NOWHERE, GONE),
            (410, "has expired", GONE),
        )
    ],
    *[
        _ever(f"{status} for ever", Answer(status), f"the image link does not work (HTTP {status})")
        for status in (204, 304, 400, 402, 416, 451)
    ],
    *[
        Cell(f"a whole picture with {status}", at("download", replace(PICTURE, status=status)), MADE, ONE_DOWNLOAD)
        for status in (201, 203, 206)
    ],
    _once("a part with 206", Answer(206, picture()[:-20]), polls="poll "),
    Cell(
        "a link that has expired as Google says it",
        _signed_anew(Answer(400)),
        MADE,
        "submit batch poll×2 download×4",
    ),
    Cell(
        "expired, and no poll to mend it",
        both(at("download", Answer(410), stays=True), at("poll", fails(500, "boom"), stays=True)),
        LEFT,
        "submit batch poll×5 download×6",
        "the image link has expired (HTTP 410), and no fresh one could be had: HTTP 500: boom",
    ),
    Cell(
        "expired, and no longer finished",
        both(at("download", Answer(410)), at("poll", says({"data": task("task_1", "processing")}))),
        MADE,
        "submit batch poll download×2",
    ),
    Cell(
        "a length beyond its end",
        at("download", replace(PICTURE, headers={"Content-Length": "90000"}, cut=60_000), stays=True),
        MADE,
        ONE_DOWNLOAD,
    ),
    _spoiled("too short", picture()[:-20], "the picture …"),
    _spoiled("empty", b"", NO_PICTURE),
    _spoiled("HTML", b"<html>Log in</html>", NO_PICTURE),
    _spoiled("a picture of another kind", b"GIF89a" + bytes(40), NO_PICTURE),
    _spoiled("a JPEG without its end", picture("JPEG")[:-200], "the picture …"),
    _spoiled("a WebP without its end", picture("WEBP")[:-20], "the picture …"),
    Cell(
        "spoiled for days",
        both(lambda world: world.in_flight(age=200_000), at("download", Answer(body=b"<html>"), stays=True)),
        LEFT,
        "batch poll×5 download×6",
        f"{NO_PICTURE}; 'gptimage forget …' gives it up",
    ),
    Cell(
        "a wrong ending",
        both(_linked("{origin}/a.jpg?x=.gif#y"), at("download", PICTURE)),
        MADE,
        "submit batch download",
    ),
    *[
        Cell(name, at("download", labelled(PICTURE)), MADE, "submit batch download")
        for name, labelled in LABELS.items()
    ],
    *[
        Cell(f"a picture {fault}", at("download", Answer(body=body)), MADE, "submit batch download")
        for fault, body in {
            "behind a line break": b"\r\n" + picture(),
            "behind a byte order mark": b"\xef\xbb\xbf" + picture("JPEG"),
            "in base64": encoded(picture()).encode(),
            "as a data URI": b"data:image/webp;base64," + encoded(picture("WEBP")).encode() + b"\n",
            "in the frames of an upload": _framed(picture()),
        }.items()
    ],
    Cell("redirected to another host", _redirected("http://localhost:{port}/b.png"), MADE, "submit batch download×2"),
    Cell("redirected to a path", _redirected("b.png"), MADE, "submit batch download×2"),
    Cell(
        "redirected in a circle",
        _redirected("/a.png"),
        LEFT,
        "submit batch download×4",
        "the image link is redirected more than 3 times",
    ),
    Cell(
        "redirected to a file",
        _redirected("file:///etc/hostname"),
        LEFT,
        "submit batch download",
        "the image link is not https but 'file:'; it is not followed",
    ),
    Cell(
        "a link of another kind",
        _linked("ftp://127.0.0.1/a.png"),
        LEFT,
        "submit batch",
        "the image link is not https but 'ftp:'; it is not followed",
    ),
    Cell("a link without a host", _linked("http:///a.png"), LEFT, "submit batch", "the image link names no host"),
    Cell("a link with a wild port", _linked("http://a:99999/"), LEFT, "submit batch", "the image link names no host"),
    Cell("a link inside the API", _linked("/a.png"), MADE, "submit batch download"),
    Cell(
        "an http link from an https API, for more than a day",
        _insecure,
        NEVER,
        "",
        "the image link is not https but 'http:'; it is not followed; 'gptimage forget …' gives it up",
    ),
    Cell(
        "one link for two pictures",
        lambda world: setattr(
            world.service,
            "batch",
            lambda request: says(
                {
                    "data": [
                        task(each, "completed", f"{world.service.origin}/a.png") for each in request.json["task_ids"]
                    ]
                }
            ),
        ),
        MADE,
        "submit×2 batch×n download×2",
        prompts=("a", "b"),
    ),
    Cell(
        "a link that expired for more than a day",
        both(lambda world: world.in_flight(age=90_000), at("download", Answer(404), stays=True)),
        LEFT,
        "batch poll×5 download×6",
        f"the image link {LEADS_NOWHERE} (HTTP 404); 'gptimage forget …' gives it up",
    ),
]
