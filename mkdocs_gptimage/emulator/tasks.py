"""Tasks: a state machine driven by the clock alone, and the ledger that accepts and pays for them.

No timer runs: what a task is doing is computed from the time at which it is asked for.
"""

from __future__ import annotations

import hashlib
import heapq
import math
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mkdocs_gptimage.emulator.errors import insufficient_balance, key_reused, rate_limited

if TYPE_CHECKING:
    from collections.abc import Callable

    from mkdocs_gptimage.emulator.requests import Order
    from mkdocs_gptimage.emulator.settings import Settings
    from mkdocs_gptimage.emulator.stats import Stats

TIMES = {"1k": (10.0, 60.0), "2k": (30.0, 100.0), "4k": (100.0, 300.0)}
"""Least and most seconds per tier at the real service."""

QUEUE_SHARE = 0.08
QUEUE_SECONDS = 2.0
"""A task is queued for this share of its time, at most for these seconds."""

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
TROUBLE = {
    "[moderation]": ("moderation_blocked", "Your request was rejected by the safety system: the prompt was flagged."),
    "[fail]": ("generation_failed", "The picture could not be generated. Nothing was charged."),
}


@dataclass(frozen=True)
class Task:
    """An accepted order. Moments are seconds of the ledger's clock."""

    id: str
    order: Order
    accepted: float
    latency: float
    """Seconds from the submit until the picture is ready."""
    created: int
    """Unix time of the submit."""

    @property
    def due(self) -> float:
        return self.accepted + self.latency

    @property
    def trouble(self) -> tuple[str, str] | None:
        """Code and message of the failure that the prompt asks for."""
        return next((error for mark, error in TROUBLE.items() if mark in self.order.prompt), None)

    def status(self, now: float) -> str:
        """Where the task stands by the clock."""
        elapsed = now - self.accepted
        if elapsed >= self.latency:
            return "failed" if self.trouble else "completed"
        return "submitted" if elapsed < min(QUEUE_SECONDS, self.latency * QUEUE_SHARE) else "processing"

    def progress(self, now: float) -> int:
        """Percent of the time that has passed; below 100 until it is over."""
        return 100 if now >= self.due else min(99, int(100 * (now - self.accepted) / self.latency))


def latency_of(order: Order, settings: Settings) -> float:
    """Seconds that this order takes: always the same for the same prompt."""
    least, most = settings.latency or TIMES[order.tier]
    digest = hashlib.sha256(f"latency {order.prompt}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return (least + (most - least) * share) / settings.speed


@dataclass
class Ledger:
    """Accepts orders, and knows every task. Only the event loop touches it, so no step of it is interrupted."""

    settings: Settings
    stats: Stats
    clock: Callable[[], float] = time.monotonic
    tasks: dict[str, Task] = field(default_factory=dict)
    _paid: int = 0
    _unfinished: list[tuple[float, str]] = field(default_factory=list)
    _submits: deque[float] = field(default_factory=deque)
    _refused_once: set[str] = field(default_factory=set)
    _answers: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    """Idempotency key → digest of the body, id of the task."""

    def admit(self) -> None:
        """Count a submit against the rate limit. Raises Refusal (429)."""
        if self.settings.rate is None:
            return
        most, seconds = self.settings.rate
        now = self.clock()
        while self._submits and self._submits[0] <= now - seconds:
            self._submits.popleft()
        if len(self._submits) >= most:
            wait = self._submits[0] + seconds - now if self._submits else seconds
            raise rate_limited(max(1, math.ceil(wait)))
        self._submits.append(now)

    def replay(self, key: str | None, body: bytes) -> Task | None:
        """The task that an earlier submit with this idempotency key made. Raises Refusal (409)."""
        if key is None or key not in self._answers:
            return None
        digest, task_id = self._answers[key]
        if digest != body:
            raise key_reused()
        self.stats.replayed += 1
        return self.tasks[task_id]

    def accept(self, order: Order, key: str | None, body: bytes) -> Task:
        """Make and charge a task; `body` is a digest. Raises Refusal (402, 429)."""
        now = self.clock()
        self._settle(now)
        self._check(order)
        task = Task(_new_id(), order, now, latency_of(order, self.settings), int(time.time()))
        self.tasks[task.id] = task
        self._paid += 1
        heapq.heappush(self._unfinished, (task.due, task.id))
        self.stats.accepted += 1
        self.stats.peak_in_flight = max(self.stats.peak_in_flight, len(self._unfinished))
        if key is not None:
            self._answers[key] = body, task.id
        return task

    def _check(self, order: Order) -> None:
        spent = self.settings.balance is not None and self._paid >= self.settings.balance
        if spent or "[402]" in order.prompt:
            raise insufficient_balance()
        if "[429]" in order.prompt and order.prompt not in self._refused_once:
            self._refused_once.add(order.prompt)
            raise rate_limited(1)

    def _settle(self, now: float) -> None:
        """Close the tasks that are over and pay back those that failed."""
        while self._unfinished and self._unfinished[0][0] <= now:
            _, task_id = heapq.heappop(self._unfinished)
            self._paid -= self.tasks[task_id].trouble is not None


def _new_id() -> str:
    """An id as the service makes them: `task_` and a ULID."""
    number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    return "task_" + "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
