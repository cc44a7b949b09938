"""A submission: a generation between its submit and the store."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mkdocs_gptimage.spec.digest import Digest

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_PORTS = {"http": 80, "https": 443}


def is_same_service(one: str, other: str) -> bool:
    """Whether two base URLs are one service: names of this machine, cases and default ports do not matter."""
    return one == other or _canonical(one) == _canonical(other)


def _canonical(base_url: str) -> tuple[str, str, int | None, str]:
    try:
        parts = urlsplit(base_url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return base_url, "", None, ""
    host = parts.hostname or ""
    return parts.scheme, "localhost" if host in _THIS_MACHINE else host, port, parts.path.rstrip("/")


class Stage(enum.Enum):
    INTENT = "intent"
    """About to be submitted; once its run is dead, the outcome is unknown."""
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Submission:
    """One generation between its submit and the store."""

    digest: Digest
    stage: Stage
    base_url: str
    """The service it was submitted to; empty when a damaged row of the journal does not tell."""
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
    run: str = ""
    """The lease of the run that works on it, or did."""
    request: Mapping[str, Any] = field(default_factory=dict)
    """The canonical form of what was asked for: a picture is kept also when no page asks for it any more."""
    is_key_spent: bool = False
    """Whether the service said that the idempotency key stands for nothing that can be had."""
    is_denied: bool = False
    """Whether no picture is expected there: several times, the service said that there is no such task, the link has
    expired, or how the task ended was not understood."""
    answer: str = ""
    """The whole answer, as JSON without the key, that was not understood: a later version may."""

    @property
    def has_target(self) -> bool:
        """Whether the service can be asked what became of it, which is free."""
        return bool(self.task_id or self.link)

    @property
    def is_collectable(self) -> bool:
        """Whether the picture is expected where the task id or the link leads to."""
        return self.stage is Stage.ACCEPTED or (self.has_target and not self.is_denied)

    @property
    def sent(self) -> str:
        """When it was submitted, for messages: `2026-11-25 02:44:10 UTC`."""
        moment = dt.datetime.fromtimestamp(self.submitted_at, dt.UTC)
        return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
