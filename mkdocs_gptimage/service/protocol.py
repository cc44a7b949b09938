"""The image API's wire format: request bodies, and responses parsed to values or errors; no I/O.

Gateways contradict each other and drift; everything documented and everything seen in the wild is understood here,
and nothing is relied on.
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.errors import GatewayError, UnknownOutcomeError
from mkdocs_gptimage.service.pictures import Image, find_image
from mkdocs_gptimage.service.refusals import REFUSALS, failure
from mkdocs_gptimage.service.task_ids import candidates, task_id_of
from mkdocs_gptimage.service.words import excerpt, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mkdocs_gptimage.spec.model import ImageSpec


_DEEPEST = 6
"""Objects inside each other that are searched for a task."""
_FINISHED = frozenset({"completed", "complete", "succeeded", "success", "finished", "done", "ready"})
_FAILED = frozenset({"failed", "failure", "cancelled", "canceled", "error"})
_QUEUED = frozenset({"submitted", "pending", "queued", "created", "waiting"})
# A refusal that comes with one of these, in a shape that cannot be read, proves nothing.
_SIGNS_OF_WORK = ("data", "task_id", "taskId", "task", "tasks", "images", "result")


class Phase(enum.Enum):
    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Accepted:
    """A submit was accepted: there is a task, and it will be paid for."""

    task_id: str


@dataclass(frozen=True)
class Task:
    """What one poll says of a task."""

    phase: Phase
    image: Image | None = None
    """Only when ready."""
    message: str = ""
    """The service's words, when it failed."""
    cost_usd: float | None = None


def encode_request(spec: ImageSpec, image_urls: list[str]) -> list[bytes]:
    """Return the JSON object of a submit, with exactly the documented fields, in pieces.

    Empties `image_urls`: a text of 25 MB or its encoded form, not both, takes the memory.
    """
    head = json.dumps(_request(spec), ensure_ascii=False).encode()
    if not image_urls:
        return [head]
    pieces = [head[:-1] + b', "image_urls": [']
    while image_urls:
        pieces.append(json.dumps(image_urls.pop(0), ensure_ascii=False).encode())
        pieces.append(b", " if image_urls else b"]}")
    return pieces


def _request(spec: ImageSpec) -> dict[str, Any]:
    body: dict[str, Any] = {"model": spec.model, "prompt": spec.prompt, "n": 1, "resolution": spec.resolution}
    if spec.size is not None:
        body["size"] = spec.size
    if spec.official_fallback:
        body["official_fallback"] = True
    return body


def submitted(body: bytes) -> Accepted | Image:
    """Read the body of a 2xx answer to a submit; raise `GatewayError` for one that refuses or cannot be read."""
    described = list(candidates(_parse(body)))
    task_id = next(filter(None, (task_id_of(c, ("task_id",)) for c in described)), None)
    if task_id:
        return Accepted(task_id)
    # A bare `id` beside a picture is the answer's own, and beside an error the request's.
    image = next(filter(None, map(find_image, described)), None)
    if image:
        return image
    bare = [c for c in described if "status" in c] + [c for c in described if not c.get("error")]
    task_id = next(filter(None, map(task_id_of, bare)), None)
    if task_id:
        return Accepted(task_id)
    code = _number(described[-1].get("code")) if described else None
    if code in REFUSALS and not any(map(described[-1].get, _SIGNS_OF_WORK)):
        raise failure(int(code), body, {})
    raise _unreadable(f"the answer to the submit holds neither a task nor a picture: {excerpt(body)}")


def task(body: bytes, asked: str) -> Task:
    """Read the body of a 2xx answer to the poll of one task; raise `GatewayError` when it does not hold that one."""
    answer = _parse(body)
    holds_another = False
    for candidate in candidates(answer):
        if "status" in candidate or "result" in candidate:
            ids = [value for key in ("task_id", "id") if isinstance(value := candidate.get(key), str) and value]
            # What is around another's task may speak of that one.
            if asked not in ids and (ids or holds_another):
                holds_another = True
                continue
            found = _task(candidate)
            # "status: error" around no task speaks of the poll; believing it would forget a task that is paid for.
            if found.phase is Phase.FAILED and candidate is answer and not task_id_of(candidate):
                break
            return found
    raise GatewayError(f"the answer to a poll holds no task: {excerpt(body)}", status=200)


def tasks(body: bytes, asked: Iterable[str]) -> dict[str, Task]:
    """Read the body of a 2xx answer to a batch poll: task id → task, for those asked for that it holds.

    Understood are a list of tasks, a mapping from id to task, and either of them under `data`, `tasks` or both. Left
    out is a task of the status `error`, which may speak of the lookup: to believe it would forget what is paid for.
    """
    wanted = set(asked)
    found: dict[str, Task] = {}
    for task_id, candidate in _listed(_parse(body)):
        if task_id in wanted and not _is_error(candidate):
            found[task_id] = _task(candidate)
    return found


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise _unreadable(f"the answer is not JSON: {excerpt(body)}") from None


def _unreadable(message: str) -> UnknownOutcomeError:
    """The error for a 2xx answer that does not say what it should."""
    return UnknownOutcomeError(message, status=200)


def _listed(answer: Any, depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """(task id, task) pairs of a batch answer, whatever its shape."""
    if isinstance(answer, list):
        for item in answer:
            if isinstance(item, dict):
                inner = item.get("data")
                described = inner if isinstance(inner, dict) and "status" not in item else item
                task_id = task_id_of(described) or task_id_of(item)
                if task_id and ("status" in described or "result" in described):
                    yield task_id, described
    elif isinstance(answer, dict) and depth < _DEEPEST:
        for key, value in answer.items():
            if key in ("data", "tasks", "results"):
                yield from _listed(value, depth + 1)
            elif isinstance(value, dict) and ("status" in value or "result" in value):
                yield key, value


def _is_error(candidate: Mapping[str, Any]) -> bool:
    word = candidate.get("status")
    return isinstance(word, str) and word.strip().lower() == "error"


def _task(candidate: Mapping[str, Any]) -> Task:
    word = candidate.get("status")
    status = word.strip().lower() if isinstance(word, str) else ""
    if status in _FAILED:
        said = words(candidate.get("error")) or words(candidate.get("message")) or f"'{status}', without a reason"
        return Task(Phase.FAILED, message=said)
    if status not in _FINISHED:
        return Task(Phase.QUEUED if status in _QUEUED else Phase.RUNNING)
    image = find_image(candidate)
    # Finished without a picture is no proof that nothing is paid: wait for the link until the deadline.
    return Task(Phase.READY, image, cost_usd=_number(candidate.get("cost"))) if image else Task(Phase.RUNNING)


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    number = float(value) if abs(value) < 1e12 else float("inf")
    return number if 0 <= number < float("inf") else None
