"""What is known of a generation between its submit and the store."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Stage(enum.Enum):
    INTENT = "intent"
    """About to be submitted; after a crash, the outcome is unknown."""
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Flight:
    """One generation between its submit and the store."""

    digest: str
    stage: Stage
    base_url: str
    idempotency_key: str
    submitted_at: float
    """Seconds since the epoch."""
    task_id: str | None = None
    link: str | None = None
    """Where the picture is, when the service gave it without a task."""
    where: str = ""
    """The page and line that asked for it, for messages."""
    reason: str = ""
    """Why the outcome is unknown, or what an earlier run got instead of the picture."""
