"""Retry policy: which submits are repeated, delays, numbers of attempts and deadlines, as pure functions."""

from __future__ import annotations

from mkdocs_gptimage.errors import BusyError, GatewayError, InProgressError

SUBMIT_ATTEMPTS = 6
"""Tries of one submit that was, each time, provably not accepted."""
DOWNLOAD_ATTEMPTS = 4
"""Tries of one download."""
LOST_AFTER = 5
"""Polls in a row that say the service does not know a task, before we believe it."""
UNKNOWN_IN_A_ROW = 3
"""Submits with an unknown outcome, and none accepted between them, after which no more are sent."""
ABANDONED_AFTER = 24 * 3600.0
"""Seconds from its submit after which a task that is not finished is not waited for any more."""
_BASE = 1.0
_CAP = 60.0


def may_repeat_submit(failure: GatewayError, attempt: int) -> bool:
    """Whether a submit that failed is sent again in the same run, after `attempt` tries.

    Only if the service provably accepted nothing, or if it works on the same submit, which the idempotency key tells.
    """
    return attempt < SUBMIT_ATTEMPTS and isinstance(failure, (BusyError, InProgressError))


def delay(attempt: int, retry_after: float | None, jitter: float) -> float:
    """Return the seconds to wait before the next try, after `attempt` tries.

    What the service asked for is waited for in full, with up to a second on top so that clients do not return
    together. Else exponential from one second, capped at 60, between half and the whole of it by `jitter` (0 to 1).
    """
    if retry_after is not None:
        return retry_after + jitter
    longest = min(_CAP, _BASE * 2.0 ** (attempt - 1))
    return longest * (0.5 + 0.5 * jitter)


def is_overdue(submitted_at: float, now: float, timeout: float) -> bool:
    """Whether a task's deadline has passed; times in seconds since the epoch."""
    return now - submitted_at >= timeout
