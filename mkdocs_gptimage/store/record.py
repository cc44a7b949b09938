"""A picture's record: its request, its image file and its origin. Untrusted input: every field is validated."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from mkdocs_gptimage.spec.digest import Digest, digest_of
from mkdocs_gptimage.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


VERSION = 1
FORMATS = ("png", "jpg", "webp")
MAX_RECORD_BYTES = 4 * 1024 * 1024
"""The largest valid record: a prompt of 32,000 characters and sixteen URLs of limited length fit well."""
_MARKER = re.compile(rb"^(?:<{7,}|\|{7,}|={7,}|>{7,})(?=[ \r\n]|$)", re.MULTILINE)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class RecordError(ValueError):
    """A text that is not the record of its picture; the message says what was found and what was expected."""


class RecordConflictError(RecordError):
    """A record that git could not merge: two branches drew different pictures for the same request."""


@dataclass(frozen=True)
class ImageFacts:
    """Size, format and hash of an image file."""

    sha256: str
    bytes: int
    width: int
    height: int
    format: str
    """`png`, `jpg` or `webp`, by content."""


@dataclass(frozen=True)
class Provenance:
    """When, where and at what cost a picture was made."""

    at: str
    """UTC, ISO 8601, seconds: `2026-11-23T21:16:57Z`."""
    gateway: str
    """The host of the service, or `emulator`."""
    task_id: str | None
    """None if the service answered with the picture at once."""
    seconds: float
    """Seconds from submit to the stored file."""
    cost_usd: float | None
    """None if the service does not report it."""


def encode_record(request: Mapping[str, Any], image: ImageFacts, made: Provenance) -> bytes:
    """Return the text of a record: keys sorted, two spaces of indent, a final newline."""
    record = {
        "v": VERSION,
        "request": dict(request),
        "image": dataclasses.asdict(image),
        "made": dataclasses.asdict(made),
    }
    return f"{json.dumps(record, sort_keys=True, indent=2, ensure_ascii=False)}\n".encode()


def decode_record(data: bytes, digest: Digest) -> tuple[ImageFacts, Provenance]:
    """Read the record of the picture with this digest; raise `RecordError`."""
    record = _parse(data, digest)
    return ImageFacts(**_part(record, "image", _IMAGE)), Provenance(**_part(record, "made", _MADE))


def decode_request(data: bytes, digest: Digest) -> dict[str, Any]:
    """Read the canonical form of the request from the record of this digest; raise `RecordError`."""
    request: dict[str, Any] = _parse(data, digest)["request"]
    return request


def _parse(data: bytes, digest: Digest) -> dict[str, Any]:
    if len(data) > MAX_RECORD_BYTES:
        raise RecordError(f"more than {MAX_RECORD_BYTES // 1024 // 1024} MiB")
    return _merged(data, digest) if has_conflict(data) else _read(data, digest)


def _read(data: bytes, digest: Digest) -> dict[str, Any]:
    try:
        record = json.loads(data.decode())
        _check(record, digest)
    except RecursionError:
        raise RecordError("nested too deep") from None
    except ValueError as error:
        raise RecordError(str(error)) from None
    return cast("dict[str, Any]", record)


def has_conflict(data: bytes) -> bool:
    """Whether a record has the conflict markers of a merge; no line of a record begins like them."""
    return bool(_MARKER.search(data))


def _merged(data: bytes, digest: Digest) -> dict[str, Any]:
    """Read a record with conflict markers whose two sides describe the same picture: the side that was made first."""
    try:
        sides = [_read(side, digest) for side in _sides(data)]
    except RecordError:
        sides = []
    if not sides or sides[0].get("image") != sides[1].get("image"):
        raise RecordConflictError("it has the conflict markers of a merge")
    for side in sides:
        _part(side, "made", _MADE)
    return min(sides, key=lambda side: str(side["made"]["at"]))


def _sides(data: bytes) -> tuple[bytes, bytes]:
    """Return the two texts that a merge could not bring together; what both have in common is in each."""
    ours, theirs = list[bytes](), list[bytes]()
    both = (ours, theirs)
    targets: tuple[list[bytes], ...] = both
    for line in data.splitlines(keepends=True):
        marker = _MARKER.match(line)
        if marker is not None:
            targets = {b"<": (ours,), b"|": (), b"=": (theirs,), b">": both}[marker[0][:1]]
            continue
        for target in targets:
            target.append(line)
    return b"".join(ours), b"".join(theirs)


def _check(record: Any, digest: Digest) -> None:
    if not isinstance(record, dict):
        raise RecordError(f"{quote(record)}, expected an object")
    version = record.get("v")
    if type(version) is not int or version != VERSION:
        raise RecordError(f"version {quote(version)}, expected {VERSION}")
    request = record.get("request")
    if not isinstance(request, dict) or digest_of(request) != digest:
        raise RecordError("its request belongs to another picture")


def _part(record: Mapping[str, Any], name: str, rules: Mapping[str, tuple[Callable[[Any], bool], str]]) -> Any:
    part = record.get(name)
    if not isinstance(part, dict):
        raise RecordError(f"{name} is {quote(part)}, expected an object")
    for field, (is_right, expected) in rules.items():
        if field not in part:
            raise RecordError(f"{name}.{field} is missing")
        if not is_right(part[field]):
            raise RecordError(f"{name}.{field} is {quote(part[field])}, expected {expected}")
    if len(part) > len(rules):
        unknown = next(field for field in part if field not in rules)
        raise RecordError(f"{quote(f'{name}.{unknown}')} is not a field")
    return part


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_IMAGE = {
    "sha256": (lambda value: isinstance(value, str) and bool(_SHA256.fullmatch(value)), "64 hexadecimal digits"),
    "bytes": (_is_count, "a whole number above 0"),
    "width": (_is_count, "a whole number above 0"),
    "height": (_is_count, "a whole number above 0"),
    "format": (lambda value: isinstance(value, str) and value in FORMATS, f"one of {', '.join(FORMATS)}"),
}
_MADE = {
    "at": (_is_text, "a text"),
    "gateway": (_is_text, "a text"),
    "task_id": (lambda value: value is None or _is_text(value), "a text or null"),
    "seconds": (_is_number, "a number"),
    "cost_usd": (lambda value: value is None or _is_number(value), "a number or null"),
}
