"""Tasks, whose state follows from the clock, and the ledger that accepts and charges them."""

from __future__ import annotations

import hashlib
import heapq
import math
import secrets
import time
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mkdocs_gptimage.emulator.errors import insufficient_balance, key_reused, rate_limited

if TYPE_CHECKING:
    from collections.abc import Callable

    from mkdocs_gptimage.emulator.requests import GenerationRequest
    from mkdocs_gptimage.emulator.settings import Settings
    from mkdocs_gptimage.emulator.stats import Stats

TIMES = {"1k": (10.0, 60.0), "2k": (30.0, 100.0), "4k": (100.0, 300.0)}
"""Shortest and longest latency of the real service in seconds, by resolution."""

QUEUE_SHARE = 0.08
QUEUE_SECONDS = 2.0
"""A task is queued for this share of its latency, at most for these seconds."""

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
FAILURES = {
    "[moderation]": ("moderation_blocked", "Your request was rejected by the safety system: the prompt was flagged."),
    "[fail]": ("generation_failed", "The picture could not be generated. Nothing was charged."),
}


@dataclass(frozen=True)
class Task:
    """An accepted request."""

    id: str
    request: GenerationRequest
    accepted: float
    """Seconds of the ledger's clock."""
    latency: float
    """Seconds from the submit until the picture is ready."""
    created: int
    """Unix time of the submit."""

    @property
    def due(self) -> float:
        return self.accepted + self.latency

    @property
    def failure(self) -> tuple[str, str] | None:
        """Code and message of the failure that the prompt asks for."""
        return next((error for mark, error in FAILURES.items() if mark in self.request.prompt), None)

    def status(self, now: float) -> str:
        """The state at a time of the ledger's clock."""
        elapsed = now - self.accepted
        if elapsed >= self.latency:
            return "failed" if self.failure else "completed"
        return "submitted" if elapsed < min(QUEUE_SECONDS, self.latency * QUEUE_SHARE) else "processing"

    def progress(self, now: float) -> int:
        """Percent of the latency that has passed, below 100 until all of it has."""
        return 100 if now >= self.due else min(99, int(100 * (now - self.accepted) / self.latency))


def latency_of(request: GenerationRequest, settings: Settings) -> float:
    """Seconds that a request takes, always the same for the same prompt."""
    shortest, longest = settings.latency or TIMES[request.tier]
    digest = hashlib.sha256(f"latency {request.prompt}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return (shortest + (longest - shortest) * share) / settings.speed


@dataclass
class Ledger:
    """Accepts requests, charges for them and knows every task. Only the event loop calls it."""

    settings: Settings
    stats: Stats
    clock: Callable[[], float] = time.monotonic
    tasks: dict[str, Task] = field(default_factory=dict)
    _charged: int = 0
    _unfinished: list[tuple[float, str]] = field(default_factory=list)
    _submits: deque[float] = field(default_factory=deque)
    _refused_once: set[str] = field(default_factory=set)
    _attempts: Counter[str] = field(default_factory=Counter)
    """Prompt → tasks so far."""
    _answers: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    """Idempotency key → digest of the body, id of the task."""

    def __post_init__(self) -> None:
        self._seed = secrets.randbits(32) if self.settings.seed is None else self.settings.seed

    def admit(self) -> None:
        """Count a submit against the rate limit. Raises ApiError (429)."""
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
        """The task of an earlier submit with this idempotency key. Raises ApiError (409)."""
        if key is None or key not in self._answers:
            return None
        digest, task_id = self._answers[key]
        if digest != body:
            raise key_reused()
        self.stats.replayed += 1
        return self.tasks[task_id]

    def accept(self, request: GenerationRequest, key: str | None, body: bytes) -> Task:
        """Create and charge a task; `body` is the digest of the body. Raises ApiError (402, 429)."""
        now = self.clock()
        self._settle(now)
        self._check(request.prompt)
        picture = replace(request.picture, seed=self._seed, attempt=self._attempts[request.prompt])
        self._attempts[request.prompt] += 1
        request = replace(request, picture=picture)
        task = Task(_new_id(), request, now, latency_of(request, self.settings), int(time.time()))
        self.tasks[task.id] = task
        self._charged += 1
        heapq.heappush(self._unfinished, (task.due, task.id))
        self.stats.accepted += 1
        self.stats.peak_in_flight = max(self.stats.peak_in_flight, len(self._unfinished))
        if key is not None:
            self._answers[key] = body, task.id
        return task

    def _check(self, prompt: str) -> None:
        spent = self.settings.balance is not None and self._charged >= self.settings.balance
        if spent or "[402]" in prompt:
            raise insufficient_balance()
        if "[429]" in prompt and prompt not in self._refused_once:
            self._refused_once.add(prompt)
            raise rate_limited(1)

    def _settle(self, now: float) -> None:
        """Close the tasks whose time is over and refund those that failed."""
        while self._unfinished and self._unfinished[0][0] <= now:
            _, task_id = heapq.heappop(self._unfinished)
            self._charged -= self.tasks[task_id].failure is not None


def _new_id() -> str:
    """An id in the format of the real service: `task_` and a ULID."""
    number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    return "task_" + "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
