"""What an answer that is no success proves about a submit: that decides about money.

Only an answer that proves that nothing was accepted is a `RejectedError`.
"""

from __future__ import annotations

import json
import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.errors import (
    AccessError,
    BalanceError,
    BusyError,
    GatewayError,
    InProgressError,
    RejectedError,
    UnknownOutcomeError,
)
from mkdocs_gptimage.service.statuses import Phase, phase_of, word_of
from mkdocs_gptimage.service.task_ids import named_id
from mkdocs_gptimage.service.words import error_of, excerpt, message_of, words

if TYPE_CHECKING:
    from collections.abc import Mapping


LONGEST_WAIT = 366 * 24 * 3600.0
"""Seconds; a longer Retry-After is cut."""
_LONGEST_SEARCHED = 1000
"""Characters of each word or sentence of an error."""
_NOT_BUILT = "build_request_failed"
REFUSALS = frozenset({400, 401, 402, 403, 404, 422, 429})
# Refused before anything was looked at: another address, method, size or kind of request was expected.
_NOT_EVEN_READ = frozenset({301, 307, 308, 405, 406, 410, 411, 413, 414, 415, 417, 426, 428, 431, 451})
# A refusal that comes with one of these, in a shape that cannot be read, proves nothing.
_SIGNS_OF_WORK = (
    *("data", "id", "task_id", "taskId", "task", "tasks", "job", "images", "image", "url", "result", "results"),
    *("output", "outputs", "response"),
)
_FINE = frozenset({"", "0", "ok", "success", "succeeded", "none", "null", "true"})
"""Codes and messages, beside those of 2xx, that are no error's."""
# Beside a code of its own, a service may say that it has accepted a submit, and not which task it is.
_SOUNDS_FINE = re.compile(
    r"(?i)\A(?!.*\b(?:not|un\w+|fail\w*|error|invalid|cannot|too)\b).*(?:success|submitted|accepted|queued|created)"
    r"|\A(?!.*(?:\u5931\u8d25|\u4e0d|\u672a)).*(?:\u6210\u529f|\u6392\u961f)"
)
_TOO_LATE = frozenset({408, 409, 499, 504, 522, 524, 598, 599})
# An error after work that may have been done, and paid for.
_UNSURE = re.compile(r"time_?d?_?out|timeout|deadline|indeterminate|in_progress|duplicate|already|idempotency")
# `insufficient_user_quota`, `credit_balance_exhausted`, `project_spend_limit_exceeded`, `Arrearage`.
_MONEY = r"(?:balance|credits?|funds?|quota)"
_USED_UP = re.compile(
    rf"insufficient_(?:\w+_)?{_MONEY}|{_MONEY}_(?:\w+_)?(?:exhausted|used_up|insufficient|not_enough|depleted|empty|too_low)"
    rf"|(?:spend|spending|billing|budget)_(?:\w+_)?limit_(?:\w+_)?(?:exceeded|reached)|(?:not_enough|out_of|no)_{_MONEY}(?:_|\Z)"
    rf"|out_of_\w{{1,20}}_{_MONEY}(?:_|\Z)|(?:^|_)(?:please|need_to|must)_(?:recharge|top_up)(?:_|\Z)"
    r"|payment_required|arrear|\u4f59\u989d\u4e0d\u8db3|\u989d\u5ea6\u4e0d\u8db3|\u6b20\u8d39"
)


def failure(status: int, body: bytes, headers: Mapping[str, str]) -> GatewayError:
    """Return the error for an answer to a submit that is not 2xx, classified by what it proves."""
    answer = _object(body)
    code, said = _error(answer, body)
    message = f"HTTP {status}: {said}" if said else f"HTTP {status}"
    wait = retry_after(headers.get("retry-after"))
    is_used_up = status == 402 or (status in REFUSALS - {401} and is_about_money(answer))
    if status in (401, 403) and not is_used_up:
        return AccessError(message, status=status)
    if (status, code) != (409, "idempotency_in_progress") and named_id(answer, with_errors=True):
        return UnknownOutcomeError(f"{message}, and it names a task", status=status, retry_after=wait)
    if is_used_up:
        return BalanceError(message, status=status)
    if status == 429 or (status, code) == (503, "idempotency_unavailable"):
        return BusyError(message, status=status, retry_after=wait)
    if (status, code) == (409, "idempotency_in_progress"):
        return InProgressError(message, status=status, retry_after=wait)
    is_not_built = status == 500 and _NOT_BUILT.encode() in body and _NOT_BUILT in (code, said[: len(_NOT_BUILT)])
    if is_not_built or status in REFUSALS | _NOT_EVEN_READ:
        return RejectedError(message, status=status)
    return UnknownOutcomeError(message, status=status, retry_after=wait)


def refused(answer: Any, body: bytes) -> GatewayError | None:
    """The error for a 2xx answer to a submit that says only an error, and nothing of a task or a picture; else None."""
    if not isinstance(answer, dict) or any(map(answer.get, _SIGNS_OF_WORK)) or named_id(answer, with_errors=True):
        return None
    code = number(answer.get("code"))
    if not (
        _is_bad_code(answer) or error_of(answer) or answer.get("success") in (False, "false") or _says_failed(answer)
    ):
        return None
    nested = answer.get("error")
    inner = number(nested.get("code")) if isinstance(nested, dict) else None
    if {code, inner} & _TOO_LATE or _UNSURE.search(_identifiers(answer)):
        return None
    if is_about_money(answer):
        return BalanceError(_said_at_200(answer, body), status=402)
    status = next((int(each) for each in (code, inner) if each in REFUSALS), None)
    if status is not None:
        return failure(status, body, {})
    return RejectedError(_said_at_200(answer, body), status=200)


def _is_bad_code(answer: Mapping[str, Any]) -> bool:
    code = answer.get("code")
    value = number(code)
    if _SOUNDS_FINE.search(message_of(answer)):
        return False
    if value is not None:
        return value != 0 and not 200 <= value < 300 and message_of(answer).lower() not in _FINE - {""}
    is_negative = isinstance(code, (int, float)) and code < 0
    return is_negative or (isinstance(code, str) and code.strip().lower() not in _FINE)


def _says_failed(answer: Mapping[str, Any]) -> bool:
    return phase_of(word_of(answer) or "") is Phase.FAILED or answer.get("ok") is False


def _said_at_200(answer: Mapping[str, Any], body: bytes) -> str:
    return f"HTTP 200: {_error(answer, body)[1] or excerpt(body)}"


def is_about_money(answer: Any) -> bool:
    """Whether an error says that the account, or what it may spend, is used up: waiting does not help."""
    return isinstance(answer, dict) and bool(_USED_UP.search(_identifiers(answer)))


def _identifiers(answer: Mapping[str, Any]) -> str:
    """The codes, types and words of an error, as one text of identifiers in lower case."""
    nested = answer.get("error")
    objects = [answer, nested] if isinstance(nested, dict) else [answer]
    fields = [each.get(name) for each in objects for name in ("code", "type", "message", "msg", "detail", "reason")]
    texts = [text for text in [*fields, nested] if isinstance(text, str)]
    return re.sub(r"[\W_]+", "_", " ".join(text[:_LONGEST_SEARCHED] for text in texts).lower())


def retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header, a number or a date (relative to now); None without a usable one."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value)
    return min(max(seconds, 0.0), LONGEST_WAIT) if seconds == seconds else None  # noqa: PLR0124 - not a number


def _seconds_until(date: str) -> float:
    import datetime as dt  # noqa: PLC0415 - rarely needed

    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError, OverflowError):
        return float("nan")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return (moment - dt.datetime.now(dt.UTC)).total_seconds()


def _object(body: bytes) -> Any:
    """The JSON of a body; None for one that is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _error(answer: Any, body: bytes) -> tuple[str, str]:
    """(code, words) of an error answer."""
    if answer is None:
        return "", excerpt(body) if body.strip() and not body.lstrip().startswith((b"<", b"null")) else ""
    if not isinstance(answer, dict):
        return "", ""
    error = answer.get("error")
    code = error.get("code") if isinstance(error, dict) else answer.get("code")
    said = words(error) or error_of(answer) or message_of(answer)
    return code if isinstance(code, str) else "", said


def number(value: Any) -> float | None:
    """A number of an answer, also one in quotes, from 0 on; None for anything else, and for what has no end."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    found = float(value) if abs(value) < 1e12 else float("inf")
    return found if 0 <= found < float("inf") else None
