"""Retry policy: which submits are repeated, delays, numbers of attempts and deadlines, as pure functions."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import BusyError, ImageLimitError, InProgressError, LinkError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mkdocs_gptimage.errors import GatewayError, GptImageError

SUBMIT_ATTEMPTS = 6
"""Tries of one submit that was, each time, provably not accepted."""
LACK_ATTEMPTS = 3
"""Tries to store one picture while memory, open files or threads are lacking."""
DOWNLOAD_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between the tries of one download: a picture may reach its host some time after its task is ready."""
NO_SUCH_TASK = frozenset({404, 410})
"""Statuses of a poll that say that the service does not know the task."""
DENIALS = 5
DENIED_SECONDS = 120.0
"""So many polls in a row, over so long, must say that the service does not know a task, before it is believed."""
UNKNOWN_IN_A_ROW = 3
"""Submits with an unknown outcome, and none accepted between them, after which no more are sent."""
OLD_SECONDS = 24 * 3600.0
"""Seconds from its submit after which the author may not want to wait for a picture any more."""
LONGEST_WAIT = 600.0
"""Seconds that a run waits because a service asks it to; a longer wait ends it."""
LONGEST_WAITS = 1800.0
"""Seconds that a submit waits in all because a service asks for it."""
EMPTY_SECONDS = 30.0
"""So long a task may be finished, as the service says, without a picture."""
_BASE = 1.0
_CAP = 60.0


def may_repeat_submit(failure: GatewayError, attempt: int) -> bool:
    """Whether a submit that failed is sent again in the same run, after `attempt` tries.

    Only if the service provably accepted nothing, or if it works on the same submit, which the idempotency key tells.
    """
    return attempt < SUBMIT_ATTEMPTS and isinstance(failure, (BusyError, InProgressError))


def may_repeat_download(failure: GptImageError) -> bool:
    """Whether a download that failed may work later in the same run, or with a fresh link.

    A picture that is not there yet is one of many errors, an empty file, or an HTML page with the status 200.
    """
    if isinstance(failure, LinkError):
        return failure.expired
    return not isinstance(failure, ImageLimitError)


def is_too_long(failure: GatewayError, waited: float = 0.0) -> bool:
    """Whether a service asks for more patience than a run has, `waited` seconds of waits included."""
    wait = failure.retry_after or 0.0
    return wait > LONGEST_WAIT or waited + wait > LONGEST_WAITS


def explain_wait(failure: GatewayError, now: float) -> str:
    """Say how long a service asks to wait, until when, and why; `now` in seconds since the epoch."""
    seconds = failure.retry_after or 0.0
    until = dt.datetime.fromtimestamp(now + seconds, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
    minutes = round(seconds / 60)
    long = f"{minutes} min" if minutes < 60 else f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    return f"the service asks to wait {long}, until {until} ({failure})"


def delay(attempt: int, retry_after: float | None, jitter: float) -> float:
    """Return the seconds to wait before the next try, after `attempt` tries.

    What the service asked for is waited for, ten minutes at most, with up to a second on top so that clients do not
    return together. Else exponential from one second, capped at 60, between half and the whole of it by `jitter`
    (0 to 1).
    """
    if retry_after is not None:
        return min(retry_after, LONGEST_WAIT) + jitter
    longest = min(_CAP, _BASE * 2.0 ** (attempt - 1))
    return longest * (0.5 + 0.5 * jitter)


def is_denied(denials: Sequence[float]) -> bool:
    """Whether the service has said often and long enough that it does not know a task; monotonic seconds, ascending."""
    return len(denials) >= DENIALS and denials[-1] - denials[0] >= DENIED_SECONDS
