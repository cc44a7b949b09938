"""The service's own words, made fit to be shown: one printable line of limited length."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_MESSAGE = 300
_ERRORS = (
    *("error", "errors", "error_message", "errorMessage", "error_msg", "errorMsg", "fail_reason", "failReason"),
    *("fail_msg", "failMsg", "failure_reason", "failureReason"),
)
_MESSAGES = ("message", "msg", "detail", "reason", "description")
_REPLACED = "\N{REPLACEMENT CHARACTER}"
_NOTHING = frozenset({"", "0", "none", "null", "false", "{}", "[]"})


def words(value: Any) -> str:
    """The words of an error: a string, or the message of an object; on one line, shortened."""
    if isinstance(value, dict):
        value = next(filter(None, map(value.get, ("message", "msg", "detail", "code", "type"))), "")
    text = " ".join(str(value).split()) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    text = "".join(character for character in text if character.isprintable())
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"


def excerpt(body: bytes) -> str:
    """The beginning of a body."""
    text = body[: 4 * _LONGEST_MESSAGE].decode("utf-8", "replace")
    if text.count(_REPLACED) > len(text) // 10 + 1:  # the cut may go through a character
        return "bytes that are no text"
    return words(text) or "an empty body"


def error_of(answer: Mapping[str, Any]) -> str:
    """What an object says of an error, in any of the fields that hold one; empty without one."""
    for name in _ERRORS:
        value = answer.get(name)
        if value is True:
            return message_of(answer) or "an error without words"
        said = words(value[0] if isinstance(value, list) and value else value)
        if said.lower() not in _NOTHING:
            return said
        if isinstance(value, (dict, list)) and value:
            pieces = json.JSONEncoder(ensure_ascii=False, check_circular=False).iterencode(value)
            return words("".join(itertools.islice(pieces, _LONGEST_MESSAGE)))
    return ""


def message_of(answer: Mapping[str, Any]) -> str:
    """What an object says beside its status; empty if it says nothing."""
    return next(filter(None, (words(answer.get(name)) for name in _MESSAGES)), "")
