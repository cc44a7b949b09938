"""Pictures that a host has stored with something around them: text before them, base64, or the frames of an upload."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from mkdocs_gptimage.imagefile.sniff import sniff
from mkdocs_gptimage.service.download import Downloaded

if TYPE_CHECKING:
    from pathlib import Path

_HEAD = 256
_BEFORE = b"\xef\xbb\xbf \t\r\n"
"""A byte order mark and white space."""
_BASE64 = re.compile(rb"(?i)(?:data:[^,]{0,200},)?\s*(?=iVBORw0KGgo|/9j/|UklGR)")
# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
_FRAME = re.compile(rb"(?P<size>[0-9a-fA-F]{1,8})(?:;[^\r\n]{0,200})?\r\n")


def unwrap(part: Path, downloaded: Downloaded) -> Downloaded:
    """Replace a file that holds a picture, and is none itself, by the picture."""
    with part.open("rb") as file:
        head = file.read(_HEAD)
    if sniff(head) or not _is_wrapped(head):
        return downloaded
    content = _content(part.read_bytes())
    if content is None:
        return downloaded
    part.write_bytes(content)
    return Downloaded(hashlib.sha256(content).hexdigest(), len(content), downloaded.problem)


def _is_wrapped(head: bytes) -> bool:
    frame = _FRAME.match(head)
    return bool(
        sniff(head.lstrip(_BEFORE)) or _BASE64.match(head.lstrip(_BEFORE)) or (frame and sniff(head[frame.end() :]))
    )


def _content(data: bytes) -> bytes | None:
    if _FRAME.match(data):
        return _unframed(data)
    data = data.lstrip(_BEFORE)
    start = _BASE64.match(data)
    if start is None:
        return data
    try:
        return base64.b64decode(data[start.end() :].rstrip(b"= \t\r\n") + b"==")
    except binascii.Error:
        return None


def _unframed(data: bytes) -> bytes:
    pieces, position = [], 0
    while (frame := _FRAME.match(data, position)) and int(frame["size"], 16):
        end = frame.end() + int(frame["size"], 16)
        pieces.append(data[frame.end() : end])
        position = end + len(b"\r\n")
    return b"".join(pieces)
