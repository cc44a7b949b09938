"""Labels of bodies that mean nothing, or the opposite of what is there."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripted_service import Answer


def _as(encoding: str | None, pack: Callable[[bytes], bytes] = bytes, **more: str) -> Callable[[Answer], Answer]:
    """Answers whose body is packed in one way and labelled in another."""

    def labelled(answer: Answer) -> Answer:
        named = {name.replace("_", "-"): value for name, value in more.items()}
        headers = {**answer.headers, **named, **({} if encoding is None else {"Content-Encoding": encoding})}
        return replace(answer, body=pack(answer.body), headers=headers)

    return labelled


def _raw_deflate(body: bytes) -> bytes:
    return zlib.compress(body, wbits=-zlib.MAX_WBITS)


def _in_members(body: bytes) -> bytes:
    return gzip.compress(body[:20]) + gzip.compress(body[20:])


LABELS = {
    **{
        f"plain, labelled as '{label}'": _as(label)
        for label in (
            "utf-8", "aws-chunked", "aws-chunked,utf-8", "binary, none", "base64", "gzip", "deflate", "br", "zstd",
            "gzip, identity", ",;", "",
        )
    },
    "gzip without a label": _as(None, gzip.compress),
    "gzip, labelled as plain": _as("identity", gzip.compress),
    "gzip, labelled as deflate": _as("deflate", gzip.compress),
    "gzip in a list": _as("aws-chunked, gzip", gzip.compress),
    "gzip twice, labelled once": _as("gzip", lambda body: gzip.compress(gzip.compress(body))),
    "gzip in two members": _as("gzip", _in_members),
    "gzip with bytes behind its end": _as("gzip", lambda body: gzip.compress(body) + bytes(9)),
    "gzip without its checksum": _as("gzip", lambda body: gzip.compress(body)[:-8]),
    "zlib, labelled as gzip": _as("gzip", zlib.compress),
    "deflate without a head": _as("deflate", _raw_deflate),
    "another type": _as(None, Content_Type="text/html; charset=klingon"),
    "a type that is none": _as(None, Content_Type=";;="),
}  # fmt: skip
