"""A cell of the table: a fault in a phase → what is paid, what is kept, what is said, and what a second run does."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.errors import GptImageError
from mkdocs_gptimage.generate.step import Step
from mkdocs_gptimage.journal.journal import open_journal
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.plan.states import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest
    from harness import Site
    from scripted_service import Answer, Request, ScriptedService

WHERE = "docs/index.md"
UNPAID = ". Nothing is paid for it; the next build submits it again"
OUTCOME_UNKNOWN = (
    ". It may be paid for already, and is not submitted again on its own; 'gptimage generate --retry-unknown' does"
)
RETRY = "It is not submitted again on its own; 'gptimage generate --retry-unknown' does"

# The table of API.md, and answers of servers that refuse a request before they read it.
_REFUSALS = frozenset({400, 401, 402, 403, 404, 422, 429})
_REFUSALS_UNREAD = frozenset({301, 307, 308, 405, 406, 410, 411, 413, 414, 415, 417, 426, 428, 431, 451})
_REFUSAL_CODES = {500: b'"build_request_failed', 503: b'"idempotency_unavailable"'}


@dataclass(frozen=True)
class End:
    """How a run ends for a picture, and what the next run does on its own once the fault is gone."""

    step: Step | None
    """None when the run is refused before it begins."""
    state: State
    """In the plan after the run."""
    stage: Stage | None
    """In the journal after the run; None without a row."""
    charged: int
    """Submits that the gateway may have charged for."""
    then: str
    """What the second run does: `submits`, `collects`, `leaves` it alone, or `uses` what is stored."""
    refunded: int = 0
    """How many of those the service gives back, because their task failed."""
    advice: str = ""
    """How the line of the problem ends."""
    is_let_go: bool = True
    """Whether the row in the journal no longer names a run."""


MADE = End(Step.STORED, State.CACHED, None, 1, "uses")
REFUSED = End(Step.FAILED, State.MISSING, None, 0, "submits", advice=UNPAID)
STOPPED = replace(REFUSED, step=Step.SKIPPED, advice="")
FAILED_TASK = replace(REFUSED, charged=1, refunded=1)
UNKNOWN = End(Step.UNKNOWN, State.UNKNOWN, Stage.UNKNOWN, 1, "leaves", advice=OUTCOME_UNKNOWN)
NEVER = End(Step.WAITING, State.IN_FLIGHT, Stage.ACCEPTED, 1, "waits")
DENIED = replace(UNKNOWN, then="collects")
"""The service does not know the task: every later run asks once more, for free."""
LEFT = End(Step.WAITING, State.IN_FLIGHT, Stage.ACCEPTED, 1, "collects")
NOT_BEGUN = End(None, State.MISSING, None, 0, "submits")


@dataclass(frozen=True)
class Cell:
    """A row of the table."""

    fault: str
    happens: Callable[[World], None]
    end: End
    asked: str
    """The requests of the first run: `submit batch poll×2`; `×n` stands for one or more."""
    said: str = ""
    """The problem as its user reads it, without place, step and advice; `…` stands for anything."""
    api: Mapping[str, Any] = field(default_factory=dict)
    prompts: tuple[str, ...] = ("a",)
    """The fault meets the last one; the others are made."""
    speed: float = 100.0


class World:
    """A service that counts its charges, a site, and what a cell does to them."""

    def __init__(self, service: ScriptedService, site: Site, patch: pytest.MonkeyPatch) -> None:
        self.service = service
        self.site = site
        self.healthy = site.settings
        """Of the second run."""
        self.patch = patch
        self.charges: list[str] = []
        """The idempotency keys of the submits that the gateway may have charged for."""
        self.mends: list[Callable[[], None]] = []
        """What makes the fault go away."""
        self._worked_on: set[str] = set()
        self.open()

    def open(self) -> None:
        """Let the service behave by default, with new lists of requests, and count its charges."""
        answer = type(self.service).answer

        def counted(request: Request) -> Answer:
            given = answer(self.service, request)
            if request.kind == "submit" and not _proves_refusal(given):
                self._charge(request.headers["idempotency-key"], given)
            return given

        port = int(self.service.origin.rpartition(":")[2])
        vars(self.service).clear()
        self.service.__init__("127.0.0.1", port)  # type: ignore[misc] # one server for all cells: it begins anew
        self.service.answer = counted  # type: ignore[method-assign]

    def _charge(self, key: str, answer: Answer) -> None:
        # What a service works on under a key is one generation, however often it is asked for.
        if key not in self._worked_on:
            self.charges.append(key)
        if b"idempotency_in_progress" in answer.body:
            self._worked_on.add(key)

    def in_flight(self, task_id: str | None = "task_1", *, age: float = 0.0, **changes: Any) -> None:
        """Let an earlier run have submitted the last picture."""
        digest = self.site.digests[-1]
        request = self.site.pictures.pictures[digest].spec.canonical
        known = {"base_url": self.site.settings.api.base_url, "request": request, "where": f"{WHERE}:1"}
        with open_journal(self.site.settings.journal) as opened:
            at = time.time() - age
            opened.write(
                Submission(
                    digest, Stage.ACCEPTED, idempotency_key="k", submitted_at=at, task_id=task_id, **known | changes
                )
            )
        self.charges.append("an earlier run's")

    def run(self) -> tuple[Step | None, list[str]]:
        """Run as a build does: how the last picture ended, and the problems; None when the run is refused."""
        try:
            result = self.site.run()
        except GptImageError as error:
            return None, [str(error)]
        ends = {outcome.digest: outcome.step for outcome in result.outcomes}
        assert all(ends.get(digest, Step.STORED) is Step.STORED for digest in self.site.digests[:-1])
        return ends.get(self.site.digests[-1]), [str(problem) for problem in result.problems]

    def submission(self) -> Submission | None:
        return self.site.submissions().get(self.site.digests[-1])


def _proves_refusal(answer: Answer) -> bool:
    if answer.vanish or answer.cut is not None or answer.wait:
        return False
    if 200 <= answer.status < 300:
        try:
            content = json.loads(answer.body)
        except ValueError:
            return False
        if not isinstance(content, dict) or any(map(content.get, ("data", "id", "task", "result", "payload"))):
            return False
        said = str(content)
        is_error = {"error", "errors"} & content.keys() or content.get("success") is False
        is_error = is_error or content.get("code", 200) not in (0, 200) or content.get("status") == "failed"
        return bool(is_error) and not re.search("408|timeout|idempotency|Success| success|\u6210\u529f", said)
    code = _REFUSAL_CODES.get(answer.status)
    return answer.status in _REFUSALS | _REFUSALS_UNREAD or (code is not None and code in answer.body)


def at(kind: str, *answers: Any, stays: bool = False) -> Callable[[World], None]:
    """Requests of a kind are answered so, one after the other; then as always, unless the last one stays."""

    def happens(world: World) -> None:
        usual = getattr(world.service, kind)
        setattr(world.service, kind, [*answers] if stays else [*answers, usual])

    return happens


def both(*faults: Callable[[World], None]) -> Callable[[World], None]:
    def happens(world: World) -> None:
        for fault in faults:
            fault(world)

    return happens


def link(request: Request, name: str = "a.png") -> str:
    """A link to the service that is asked."""
    return f"http://{request.headers['host']}/images/{name}"


def pattern(text: str) -> re.Pattern[str]:
    """The pattern of a text in which `…` stands for anything and `×n` for any number."""
    return re.compile(re.escape(text).replace("…", ".*").replace("×n", r"(×\d+)?"))


def requests(counts: Mapping[str, int]) -> str:
    """`submit×2 batch download`, as the table writes it."""
    return " ".join(kind if count == 1 else f"{kind}×{count}" for kind, count in counts.items())
