"""The moments at which builds are killed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paying_service import ServiceKill

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Kill:
    """How one command is killed: at one of three kinds of moments."""

    share: float | None = None
    """After this share of the time that an uninterrupted build takes."""
    at_request: ServiceKill | None = None
    """At a moment of the service."""
    inside: str = ""
    """Before or after a call inside the process, as `crash.py` takes it."""
    retries: bool = False
    """The command is `gptimage generate --retry-unknown` instead of a build."""


@dataclass(frozen=True)
class Point:
    """One or several crashes after each other."""

    name: str
    kills: tuple[Kill, ...]
    in_company: bool = False
    """Another build runs over the same folder and goes on."""
    honours_keys: bool = True
    """The service gives a repeated Idempotency-Key the task that it got before, instead of another one to pay for."""


def _at(kind: str, number: int, moment: str, *, retries: bool = False) -> Kill:
    return Kill(at_request=ServiceKill(kind, number, moment), retries=retries)


def _inside(function: str, number: int, side: str, *, retries: bool = False) -> Kill:
    return Kill(inside=f"{_FUNCTIONS[function]} {number} {side}", retries=retries)


# Where it can be, the language's and the libraries' own functions: what calls them may change.
_FUNCTIONS = {
    "claim": "mkdocs_gptimage.journal.journal:Journal.claim",
    "insert": "diskcache.core:Cache._row_insert",
    "write": "mkdocs_gptimage.journal.journal:Journal.write",
    "update": "diskcache.core:Cache._row_update",
    "exchange": "mkdocs_gptimage.journal.journal:Journal.replace",
    "forget": "mkdocs_gptimage.journal.journal:Journal.forget",
    "lease": "filelock:UnixFileLock._acquire",
    "decode": "mkdocs_gptimage.imagefile.verify:verify_image",
    "flush": "os:fsync",
    "bytes": "pathlib:Path.replace>.png",
    "record": "pathlib:Path.replace>.json",
    "close": "diskcache:Cache.close",
    "link": "os:link",
    "page": "mkdocs.commands.build:_build_page",
}
_SECOND_COPY = 10
"""Of the moves of bytes: after those of the eight pictures into the store come those of the copies for the site."""
_CRASHED = _at("submit", 4, "answered")
_UNSURE = _at("submit", 4, "done")

_SHARES = 16
_REQUESTS = [
    *[_at("submit", number, moment) for number in (1, 4, 8) for moment in ("arrived", "done", "middle", "answered")],
    *[_at("batch", number, moment) for number in (1, 3) for moment in ("arrived", "middle", "answered")],
    *[_at("download", number, moment) for number in (1, 4, 8) for moment in ("arrived", "middle", "answered")],
]
_INSIDE = [
    ("lease", 1, "after"),
    *[(name, number, side) for name in ("claim", "write") for number in (1, 4, 8) for side in ("before", "after")],
    ("insert", 2, "after"),
    ("update", 2, "after"),
    ("decode", 3, "after"),
    *[("flush", number, side) for number in (1, 2, 3, 12) for side in ("before", "after")],
    *[(name, number, side) for name in ("bytes", "record") for number in (1, 8) for side in ("before", "after")],
    *[("forget", number, side) for number in (1, 8) for side in ("before", "after")],
    ("close", 1, "before"),
    ("bytes", _SECOND_COPY, "before"),
    ("link", 3, "before"),
    ("page", 2, "before"),
]
_TWICE = [
    (_CRASHED, _inside("exchange", 1, "before")),
    (_CRASHED, _inside("exchange", 1, "after")),
    (_CRASHED, _inside("exchange", 3, "after")),
    (_CRASHED, _inside("claim", 1, "after")),
    (_CRASHED, _inside("bytes", 1, "after")),
    (_CRASHED, _at("batch", 1, "arrived")),
    (_CRASHED, _at("download", 2, "middle")),
    (_inside("bytes", 1, "after"), _inside("bytes", 1, "after")),
    (_UNSURE, _at("submit", 1, "arrived", retries=True)),
    (_UNSURE, _at("submit", 1, "done", retries=True)),
    (_UNSURE, _inside("exchange", 1, "after", retries=True)),
    (_UNSURE, _inside("write", 1, "before", retries=True)),
    (_UNSURE, _inside("write", 1, "after", retries=True)),
]
_IN_COMPANY = [
    *[Kill(share) for share in (0.3, 0.5, 0.7, 0.9)],
    *[_at("submit", number, moment) for number in (1, 4, 8) for moment in ("arrived", "done", "answered")],
    _at("batch", 2, "arrived"),
    _at("download", 1, "middle"),
    _at("download", 4, "arrived"),
    _inside("claim", 3, "after"),
    _inside("write", 3, "before"),
    _inside("write", 3, "after"),
    _inside("bytes", 1, "after"),
    _inside("record", 2, "before"),
    _inside("forget", 2, "before"),
]


def _named(kill: Kill) -> str:
    if kill.share is not None:
        text = f"{kill.share:.0%} of the time"
    elif kill.at_request is not None:
        text = f"{kill.at_request.kind} {kill.at_request.number} {kill.at_request.moment}"
    else:
        function, number, side = kill.inside.split()
        text = f"{side} {next(name for name, path in _FUNCTIONS.items() if path == function)} {number}"
    return f"retry: {text}" if kill.retries else text


def _points(*kills: Kill, in_company: bool = False) -> Iterator[Point]:
    """The same moments at both kinds of services."""
    name = ", then ".join(map(_named, kills))
    name = f"two builds: {name}" if in_company else name
    yield Point(name, kills, in_company)
    yield Point(f"{name}, keys ignored", kills, in_company, honours_keys=False)


ALL = (
    *[point for number in range(1, _SHARES + 1) for point in _points(Kill(number / (_SHARES + 1)))],
    *[point for kill in _REQUESTS for point in _points(kill)],
    *[point for inside in _INSIDE for point in _points(_inside(*inside))],
    *[point for kills in _TWICE for point in _points(*kills)],
    *[point for kill in _IN_COMPANY for point in _points(kill, in_company=True)],
)
_TELLING = (
    "submit 4 done",
    "submit 8 answered, keys ignored",
    "download 4 middle",
    "before claim 4, keys ignored",
    "before write 4",
    "after bytes 1, keys ignored",
    "before record 8",
    "submit 4 answered, then after exchange 1",
    "submit 4 done, then retry: submit 1 done, keys ignored",
    "two builds: submit 4 done",
)
SAMPLE = tuple(point for point in ALL if point.name in _TELLING)
