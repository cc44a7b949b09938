"""The image API's wire format: request bodies, and responses parsed to values or errors; no I/O.

Gateways contradict each other and drift; everything documented and everything seen in the wild is understood here,
and nothing is relied on. What an answer proves about a submit decides about money: only an answer that proves it was
not accepted is a `RejectedError`.
"""

from __future__ import annotations

import enum
import json
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import IO, TYPE_CHECKING, Any

from mkdocs_gptimage.errors import (
    AccessError,
    BalanceError,
    BusyError,
    GatewayError,
    InProgressError,
    RejectedError,
    UnknownOutcomeError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mkdocs_gptimage.spec.model import ImageSpec


LONGEST_WAIT = 600.0
"""Seconds; a longer Retry-After is cut."""
_LONGEST_MESSAGE = 300
_LONGEST_LINK = 8192
_DEEPEST = 6
"""Objects inside each other that are searched for a picture or a task."""
# Never `.` or `..`: an id becomes a part of an address.
_TASK_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9_.:~-]{1,200}")
_FINISHED = frozenset({"completed", "complete", "succeeded", "success", "finished", "done", "ready"})
_FAILED = frozenset({"failed", "failure", "cancelled", "canceled", "error"})
_QUEUED = frozenset({"submitted", "pending", "queued", "created", "waiting"})
# A refusal that comes with one of these, in a shape that cannot be read, proves nothing.
_SIGNS_OF_WORK = ("data", "task_id", "taskId", "task", "tasks", "images", "result")
_NOT_BUILT = "build_request_failed"
_REFUSALS = frozenset({400, 401, 402, 403, 404, 422, 429})
# Refused before anything was looked at: another address, method, size or kind of request was expected.
_NOT_EVEN_READ = frozenset({301, 307, 308, 405, 406, 410, 411, 413, 414, 415, 417, 426, 428, 431, 451})


class Phase(enum.Enum):
    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Image:
    """Where the picture's bytes are: a link, or the bytes themselves in base64, as text or spooled to a file."""

    url: str | None = None
    base64: str | None = None
    spooled: IO[bytes] | None = None


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
    candidates = list(_candidates(_parse(body)))
    task_id = next(filter(None, (_task_id(c, ("task_id",)) for c in candidates)), None)
    if task_id:
        return Accepted(task_id)
    # A bare `id` beside a picture is the answer's own, and beside an error the request's.
    image = next(filter(None, map(_image, candidates)), None)
    if image:
        return image
    bare = [c for c in candidates if "status" in c] + [c for c in candidates if not c.get("error")]
    task_id = next(filter(None, map(_task_id, bare)), None)
    if task_id:
        return Accepted(task_id)
    code = _number(candidates[-1].get("code")) if candidates else None
    if code in _REFUSALS and not any(map(candidates[-1].get, _SIGNS_OF_WORK)):
        raise failure(int(code), body, {})
    raise _unreadable(f"the answer to the submit holds neither a task nor a picture: {_excerpt(body)}")


def task(body: bytes, asked: str) -> Task:
    """Read the body of a 2xx answer to the poll of one task; raise `GatewayError` when it does not hold that one."""
    answer = _parse(body)
    holds_another = False
    for candidate in _candidates(answer):
        if "status" in candidate or "result" in candidate:
            ids = [value for key in ("task_id", "id") if isinstance(value := candidate.get(key), str) and value]
            # What is around another's task may speak of that one.
            if asked not in ids and (ids or holds_another):
                holds_another = True
                continue
            found = _task(candidate)
            # "status: error" around no task speaks of the poll; believing it would forget a task that is paid for.
            if found.phase is Phase.FAILED and candidate is answer and not _task_id(candidate):
                break
            return found
    raise GatewayError(f"the answer to a poll holds no task: {_excerpt(body)}", status=200)


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


def failure(status: int, body: bytes, headers: Mapping[str, str]) -> GatewayError:
    """Return the error for an answer to a submit that is not 2xx, classified by what it proves."""
    code, said = _error(body)
    message = f"HTTP {status}: {said}" if said else f"HTTP {status}"
    wait = retry_after(headers.get("retry-after"))
    if status in (401, 403):
        return AccessError(message, status=status)
    if (status, code) != (409, "idempotency_in_progress") and _names_task(body):
        return UnknownOutcomeError(f"{message}, and it names a task", status=status, retry_after=wait)
    if status == 402:
        return BalanceError(message, status=status)
    if status == 429 or (status, code) == (503, "idempotency_unavailable"):
        return BusyError(message, status=status, retry_after=wait)
    if (status, code) == (409, "idempotency_in_progress"):
        return InProgressError(message, status=status, retry_after=wait)
    is_not_built = status == 500 and _NOT_BUILT.encode() in body and _NOT_BUILT in (code, said[: len(_NOT_BUILT)])
    if is_not_built or status in _REFUSALS | _NOT_EVEN_READ:
        return RejectedError(message, status=status)
    return UnknownOutcomeError(message, status=status, retry_after=wait)


def _names_task(body: bytes) -> bool:
    """Whether an answer that refuses speaks of a task all the same: then it proves nothing."""
    try:
        return any(_task_id(candidate, ("task_id",)) for candidate in _candidates(json.loads(body)))
    except (ValueError, RecursionError):
        return False


def retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header, a number or a date (relative to now); None without a usable one."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value)
    return min(max(seconds, 0.0), LONGEST_WAIT) if seconds == seconds else None  # noqa: PLR0124 - not a number


def _seconds_until(date: str) -> float:
    import datetime as dt  # noqa: PLC0415 - rarely needed

    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError, OverflowError):
        return float("nan")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return (moment - dt.datetime.now(dt.UTC)).total_seconds()


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise _unreadable(f"the answer is not JSON: {_excerpt(body)}") from None


def _unreadable(message: str) -> UnknownOutcomeError:
    """The error for a 2xx answer that does not say what it should."""
    return UnknownOutcomeError(message, status=200)


def _candidates(answer: Any) -> Iterator[dict[str, Any]]:
    """The objects of an answer that may describe a task or a picture, the most specific first."""
    if not isinstance(answer, dict):
        return
    data = answer.get("data")
    if isinstance(data, dict):
        inner = data.get("data")
        yield data
        if isinstance(inner, dict):
            yield inner
    if isinstance(data, list):
        yield from (item for item in data if isinstance(item, dict))
    yield answer


def _listed(answer: Any, depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """(task id, task) pairs of a batch answer, whatever its shape."""
    if isinstance(answer, list):
        for item in answer:
            if isinstance(item, dict):
                inner = item.get("data")
                described = inner if isinstance(inner, dict) and "status" not in item else item
                task_id = _task_id(described) or _task_id(item)
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
        said = _words(candidate.get("error")) or _words(candidate.get("message")) or f"'{status}', without a reason"
        return Task(Phase.FAILED, message=said)
    if status not in _FINISHED:
        return Task(Phase.QUEUED if status in _QUEUED else Phase.RUNNING)
    image = _image(candidate)
    # Finished without a picture is no proof that nothing is paid: wait for the link until the deadline.
    return Task(Phase.READY, image, cost_usd=_number(candidate.get("cost"))) if image else Task(Phase.RUNNING)


def _image(candidate: Mapping[str, Any], depth: int = 0) -> Image | None:
    """The first picture that an object points to: itself, or in `result`, `images`, `data`."""
    if depth > _DEEPEST:
        return None
    link = candidate.get("url")
    for each in link if isinstance(link, list) else [link]:
        if _is_link(each):
            return Image(url=each)
    encoded = candidate.get("b64_json")
    if isinstance(encoded, str) and encoded:
        return Image(base64=encoded)
    for key in ("result", "images", "data"):
        inner = candidate.get(key)
        for item in inner if isinstance(inner, list) else [inner]:
            if isinstance(item, dict):
                found = _image(item, depth + 1)
                if found:
                    return found
            elif key != "data" and _is_link(item, begins=("http://", "https://")):
                return Image(url=item)
    return None


def _is_link(value: Any, begins: tuple[str, ...] = ("",)) -> bool:
    return isinstance(value, str) and value.startswith(begins) and 0 < len(value) <= _LONGEST_LINK


def _task_id(candidate: Mapping[str, Any], keys: tuple[str, ...] = ("task_id", "id")) -> str | None:
    for key in keys:
        value = candidate.get(key)
        if isinstance(value, str) and _TASK_ID.fullmatch(value):
            return value
    return None


def _error(body: bytes) -> tuple[str, str]:
    """(code, words) of an error answer."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return "", _excerpt(body) if body.strip() and not body.lstrip().startswith(b"<") else ""
    if not isinstance(answer, dict):
        return "", ""
    error = answer.get("error")
    code = error.get("code") if isinstance(error, dict) else answer.get("code")
    said = next(filter(None, map(_words, (error, answer.get("message"), answer.get("msg")))), "")
    return code if isinstance(code, str) else "", said


def _words(value: Any) -> str:
    """The words of an error: a string, or the message of an object; on one line, shortened."""
    if isinstance(value, dict):
        value = value.get("message") or value.get("code") or ""
    text = " ".join(str(value).split()) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    text = "".join(character for character in text if character.isprintable())
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"


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


def _excerpt(body: bytes) -> str:
    return _words(body[: 4 * _LONGEST_MESSAGE].decode("utf-8", "replace")) or "an empty body"
