"""Answers as JSON: plain, twice encoded, as a stream of events, or with other text around it."""

from __future__ import annotations

import json
import re
from typing import Any

from mkdocs_gptimage.errors import UnknownOutcomeError
from mkdocs_gptimage.service.words import excerpt

_DECODER = json.JSONDecoder(strict=False)
_WRAPPERS = ("data", "result", "output", "response", "task")
_LONGEST_AROUND = 16 * 1024
"""Bytes before the JSON, such as the warnings of an interpreter."""
_EVENT = re.compile(rb"(?m)^data:[ ]?(.*?)\r?$")
_MOST_EVENTS = 1000
_MOST_STARTS = 50


def loads(body: bytes) -> tuple[Any, bool]:
    """Return the value of an answer, and whether the body is plain JSON; raise `UnknownOutcomeError` without any.

    What is found in other text may say that there is a task or a picture; it never proves that there is none.
    """
    for read, is_plain in ((_plain, True), (_events, False), (_within, False)):
        try:
            return _unpacked(read(body)), is_plain
        except (ValueError, RecursionError):
            continue
    raise UnknownOutcomeError(f"the answer is not JSON: {excerpt(body)}", status=200)


def _plain(body: bytes) -> Any:
    return json.loads(body, strict=False)


def _unpacked(answer: Any) -> Any:
    """An answer without the texts in it that hold it, or its task, in JSON once more."""
    if isinstance(answer, str) and answer.lstrip().startswith(("{", "[")):
        return _DECODER.decode(answer.strip())
    if isinstance(answer, dict):
        for name in _WRAPPERS:
            text = answer.get(name)
            if isinstance(text, str) and text.lstrip()[:1] == "{":
                answer[name] = _DECODER.decode(text.strip())
    return answer


def _events(body: bytes) -> Any:
    """The objects of server-sent events, or of lines, the last first; pictures that are not finished are left out."""
    lines = [match[1] for match in _EVENT.finditer(body)] or body.splitlines()
    found = [_DECODER.decode(line.decode("utf-8", "replace")) for line in lines[-_MOST_EVENTS:] if _is_object(line)]
    whole = [each for each in reversed(found) if "partial" not in str(each.get("type", ""))]
    if not whole:
        raise ValueError
    return whole[0] if len(whole) == 1 else whole


def _is_object(line: bytes) -> bool:
    line = line.strip()
    return line.startswith(b"{") and line.endswith(b"}")


def _within(body: bytes) -> Any:
    """The object that begins first in a text that is no JSON as a whole."""
    text = body.decode("utf-8", "replace")
    for match, _ in zip(re.finditer(r"[{\[]", text[:_LONGEST_AROUND]), range(_MOST_STARTS), strict=False):
        try:
            value, _ = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        if value and isinstance(value, (dict, list)):
            return value
    raise ValueError
