"""What an answer that is no success proves about a submit: that decides about money.

Only an answer that proves that nothing was accepted is a `RejectedError`.
"""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import (
    AccessError,
    BalanceError,
    BusyError,
    GatewayError,
    InProgressError,
    RejectedError,
    UnknownOutcomeError,
)
from mkdocs_gptimage.service.task_ids import candidates, task_id_of
from mkdocs_gptimage.service.words import excerpt, words

if TYPE_CHECKING:
    from collections.abc import Mapping


LONGEST_WAIT = 600.0
"""Seconds; a longer Retry-After is cut."""
_NOT_BUILT = "build_request_failed"
REFUSALS = frozenset({400, 401, 402, 403, 404, 422, 429})
# Refused before anything was looked at: another address, method, size or kind of request was expected.
_NOT_EVEN_READ = frozenset({301, 307, 308, 405, 406, 410, 411, 413, 414, 415, 417, 426, 428, 431, 451})


def failure(status: int, body: bytes, headers: Mapping[str, str]) -> GatewayError:
    """Return the error for an answer to a submit that is not 2xx, classified by what it proves."""
    code, said = _error(body)
    message = f"HTTP {status}: {said}" if said else f"HTTP {status}"
    wait = retry_after(headers.get("retry-after"))
    if status in (401, 403):
        return AccessError(message, status=status)
    if (status, code) != (409, "idempotency_in_progress") and _names_task(body):
        return UnknownOutcomeError(f"{message}, and it names a task", status=status, retry_after=wait)
    if status == 402:
        return BalanceError(message, status=status)
    if status == 429 or (status, code) == (503, "idempotency_unavailable"):
        return BusyError(message, status=status, retry_after=wait)
    if (status, code) == (409, "idempotency_in_progress"):
        return InProgressError(message, status=status, retry_after=wait)
    is_not_built = status == 500 and _NOT_BUILT.encode() in body and _NOT_BUILT in (code, said[: len(_NOT_BUILT)])
    if is_not_built or status in REFUSALS | _NOT_EVEN_READ:
        return RejectedError(message, status=status)
    return UnknownOutcomeError(message, status=status, retry_after=wait)


def _names_task(body: bytes) -> bool:
    """Whether an answer that refuses speaks of a task all the same: then it proves nothing."""
    try:
        return any(task_id_of(candidate, ("task_id",)) for candidate in candidates(json.loads(body)))
    except (ValueError, RecursionError):
        return False


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
        moment = moment.replace(tzinfo=dt.timezone.utc)
    return (moment - dt.datetime.now(dt.timezone.utc)).total_seconds()


def _error(body: bytes) -> tuple[str, str]:
    """(code, words) of an error answer."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return "", excerpt(body) if body.strip() and not body.lstrip().startswith(b"<") else ""
    if not isinstance(answer, dict):
        return "", ""
    error = answer.get("error")
    code = error.get("code") if isinstance(error, dict) else answer.get("code")
    said = next(filter(None, map(words, (error, answer.get("message"), answer.get("msg")))), "")
    return code if isinstance(code, str) else "", said
