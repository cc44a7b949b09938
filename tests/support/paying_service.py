"""An image service that records a payment for each accepted submit; tasks finish after two polls."""

from __future__ import annotations

import functools
import io
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from PIL import Image
from scripted_service import Answer, accepts, says, task

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripted_service import Request, ScriptedService

_POLLS = 2
"""Polls that find a task still running."""
_PATIENCE = 60
_DRAIN = 0.05
"""Seconds in which what a dead client has sent is read."""


@dataclass(frozen=True)
class Payment:
    """One accepted submit."""

    task_id: str
    prompt: str
    key: str


@dataclass(frozen=True)
class ServiceKill:
    """A moment at which a client is killed."""

    kind: str
    """`submit`, `batch` or `download`."""
    number: int
    """Which request of this kind, from 1, since it was set."""
    moment: str
    """`arrived` (nothing was done), `done` (nothing was answered), `middle` of the answer's body, or `answered`."""


class PayingService:
    """Scripts a service. With `honours_keys` an Idempotency-Key that was seen gets the task that it got before."""

    def __init__(self, service: ScriptedService, *, honours_keys: bool) -> None:
        self.payments: list[Payment] = []
        self.asked: list[str] = []
        """The prompts of all submits that arrived, accepted or not."""
        self._origin = service.origin
        self._honours_keys = honours_keys
        self._polls: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._busy = 0
        self.watch(None, lambda: None)
        for kind in ("submit", "batch", "poll", "download"):
            setattr(service, kind, functools.partial(self._answer, kind, getattr(self, f"_{kind}")))

    def watch(
        self, at_request: ServiceKill | None, kill: Callable[[], None], hold: Callable[[], None] = lambda: None
    ) -> None:
        """Call `kill` at a moment from now on; the request it is about waits for `hold` before anything else."""
        self._at_request, self._kill, self._hold = at_request, kill, hold
        self._seen: Counter[str] = Counter()

    def settle(self) -> None:
        """Wait until what a dead client has sent is written down."""
        time.sleep(_DRAIN)
        until = time.monotonic() + _PATIENCE
        while self._busy and time.monotonic() < until:
            time.sleep(_DRAIN)
        assert not self._busy, "a request is answered for too long"

    def paid(self) -> Counter[str]:
        """How often each prompt was paid for."""
        with self._lock:
            return Counter(payment.prompt for payment in self.payments)

    def picture(self, task_id: str) -> bytes:
        """A small picture that no other task gets."""
        file = io.BytesIO()
        Image.new("RGB", (16, 16), (int(task_id.rpartition("_")[2]), 128, 0)).save(file, "PNG")
        return file.getvalue()

    def _answer(self, kind: str, make: Callable[[Request], Answer], request: Request) -> Answer:
        if len(request.body) != int(request.headers.get("content-length", 0)):
            return Answer(vanish=True)  # its client died while it sent
        with self._lock:
            self._busy += 1
            self._seen[kind] += 1
            at_request = self._at_request
            if kind == "submit":
                self.asked.append(request.json["prompt"])
            is_chosen = at_request is not None and (kind, self._seen[kind]) == (at_request.kind, at_request.number)
        try:
            return self._answer_and_kill(at_request.moment, make, request) if is_chosen else make(request)
        finally:
            with self._lock:
                self._busy -= 1

    def _answer_and_kill(self, moment: str, make: Callable[[Request], Answer], request: Request) -> Answer:
        self._hold()
        if moment == "arrived":
            self._kill()
            return Answer(vanish=True)
        answer = make(request)
        if moment == "done":
            self._kill()
            return Answer(vanish=True)
        if moment == "middle":
            answer = replace(answer, drip=0.4 / len(answer.body))
        threading.Timer(answer.wait + (0.2 if moment == "middle" else 0.02), self._kill).start()
        return answer

    def _submit(self, request: Request) -> Answer:
        key, prompt = request.headers["idempotency-key"], request.json["prompt"]
        with self._lock:
            known = next((each for each in self.payments if self._honours_keys and each.key == key), None)
            number = len(self.payments) + 1
            if known is None:
                self.payments.append(Payment(f"task_{number}", prompt, key))
        return accepts(known.task_id if known else f"task_{number}", wait=0.02 if number % 3 else 0.3)

    def _batch(self, request: Request) -> Answer:
        return says({"data": [self._task(task_id) for task_id in request.json["task_ids"]]})

    def _poll(self, request: Request) -> Answer:
        return says({"data": self._task(unquote(request.path.rpartition("/")[2]))})

    def _task(self, task_id: str) -> dict:
        with self._lock:
            self._polls[task_id] += 1
            if self._polls[task_id] <= _POLLS:
                return task(task_id, "processing")
        return task(task_id, "completed", f"{self._origin}/images/{task_id}.png", cost=0.01)

    def _download(self, request: Request) -> Answer:
        task_id = request.path.rpartition("/")[2].removesuffix(".png")
        return Answer(body=self.picture(task_id), drip=0.001)
