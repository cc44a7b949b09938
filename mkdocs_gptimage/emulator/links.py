"""Download links: random names that expire."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mkdocs_gptimage.emulator.errors import ApiError, not_found

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Link:
    """A link to the picture of one task."""

    name: str
    task_id: str
    expires: float
    """Unix time in seconds."""


@dataclass
class Links:
    """Every link that was issued."""

    seconds: float
    """Lifetime of a link."""
    suffix: str
    """Suffix of the file names, with its dot."""
    clock: Callable[[], float] = time.time
    _by_name: dict[str, Link] = field(default_factory=dict)
    _newest: dict[str, Link] = field(default_factory=dict)

    def link(self, task_id: str) -> Link:
        """The link of a task, a new one when less than half of the last one's lifetime is left."""
        now = self.clock()
        newest = self._newest.get(task_id)
        if newest is None or newest.expires - now < self.seconds / 2:
            newest = Link(secrets.token_urlsafe(24) + self.suffix, task_id, now + self.seconds)
            self._newest[task_id] = self._by_name[newest.name] = newest
        return newest

    def task_id(self, name: str) -> str:
        """The task that a link belongs to. Raises ApiError (404 unknown, 410 expired)."""
        link = self._by_name.get(name)
        if link is None:
            raise not_found("file")
        if link.expires <= self.clock():
            raise ApiError(410, "link_expired", "This link has expired: poll the task for a new one.")
        return link.task_id
