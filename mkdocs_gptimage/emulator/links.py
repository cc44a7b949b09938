"""Links to pictures: names that nobody can guess, and that expire."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mkdocs_gptimage.emulator.errors import Refusal, not_found

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Link:
    """The right to download one picture for some time."""

    name: str
    task_id: str
    expires: float
    """Unix time in seconds."""


@dataclass
class Links:
    """Every link that was handed out."""

    seconds: float
    """How long a link works."""
    suffix: str
    """The end of the file names, with its dot."""
    clock: Callable[[], float] = time.time
    _by_name: dict[str, Link] = field(default_factory=dict)
    _newest: dict[str, Link] = field(default_factory=dict)

    def link(self, task_id: str) -> Link:
        """A link for a task: a new one when more than half of the last one's time is over."""
        now = self.clock()
        newest = self._newest.get(task_id)
        if newest is None or newest.expires - now < self.seconds / 2:
            newest = Link(secrets.token_urlsafe(24) + self.suffix, task_id, now + self.seconds)
            self._newest[task_id] = self._by_name[newest.name] = newest
        return newest

    def task_id(self, name: str) -> str:
        """The task whose picture a link shows. Raises Refusal (404 unknown, 410 expired)."""
        link = self._by_name.get(name)
        if link is None:
            raise not_found("file")
        if link.expires <= self.clock():
            raise Refusal(410, "link_expired", "This link has expired: poll the task for a fresh one.")
        return link.task_id
