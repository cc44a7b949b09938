"""The steps of a picture in a run, from its submit to its end."""

from __future__ import annotations

import enum


class Step(enum.Enum):
    """A change of state of one picture."""

    SUBMITTED = "submitted"
    RESUMED = "in flight since an earlier run"
    LEASED = "waits for another run"
    RUNNING = "running"
    STORED = "stored"
    FAILED = "failed"
    """Nothing is paid for it: refused, or failed and refunded."""
    WAITING = "still in flight"
    """It may be paid for, and the next run collects it."""
    UNKNOWN = "unknown outcome"
    """It may be paid for."""
    SKIPPED = "not submitted"
    LEASE_LOST = "overtaken"
    """Another run was making it and may have paid for it; this run submitted nothing."""
