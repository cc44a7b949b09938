"""The image API's wire format: request bodies, and responses parsed to values or errors; no I/O.

Gateways contradict each other and drift; everything documented and everything seen in the wild is understood here,
and nothing is relied on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.errors import GatewayError, UnknownOutcomeError
from mkdocs_gptimage.service import task_ids
from mkdocs_gptimage.service.loose_json import loads
from mkdocs_gptimage.service.pictures import Image, find_image, holds_more
from mkdocs_gptimage.service.refusals import number, refused
from mkdocs_gptimage.service.statuses import NAMES, Phase, phase_of, sounds_finished, word_of
from mkdocs_gptimage.service.words import error_of, excerpt, message_of, words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from mkdocs_gptimage.spec.model import ImageSpec


MOST_KEPT = 256 * 1024
"""Characters of an answer that is kept because it is not understood; the rest of a longer one is cut off."""
_DEEPEST = 6
"""Objects inside each other that are searched for a task."""
_MOST_LISTED = 10_000
"""Tasks of one list that are looked at; a hundred are asked for at a time."""
_REDIRECTION = 300
"""The least code, as of HTTP, that is no success."""
_WHOLE = 100
"""Percent."""


@dataclass(frozen=True)
class Accepted:
    """A submit was accepted: there is a task, and it will be paid for."""

    task_id: str


@dataclass(frozen=True)
class Task:
    """What one poll says of a task."""

    phase: Phase
    image: Image | None = None
    """When ready, or beside an unknown word: then it may be unfinished."""
    message: str = ""
    """The service's words, when it failed or ended in a way that is not understood, or its unknown word."""
    cost_usd: float | None = None
    answer: str = ""
    """The whole answer as JSON, when how the task ended is not understood."""


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


def submitted(body: bytes, references: Collection[str] = ()) -> Accepted | Image:
    """Read the body of a 2xx answer to a submit; raise `GatewayError` for one that refuses or cannot be read.

    `references` are those of the request, as in `find_image`.
    """
    answer, is_plain = loads(body)
    described = list(task_ids.candidates(answer))
    task_id = _first(task_ids.task_id_of(each, task_ids.EXPLICIT) for each in described)
    task_id = task_id or _first(task_ids.task_id_of(each) for each in described if _is_under_way(each))
    if task_id:
        return Accepted(task_id)
    # A bare `id` beside a picture is the answer's own, and beside an error the request's.
    image = find_image(answer, references)
    if image:
        return image
    bare = [each for each in described if word_of(each) is not None] + [
        each for each in described if not error_of(each)
    ]
    task_id = task_ids.named_id(answer) or _first(map(task_ids.task_id_of, bare))
    refusal = refused(answer, body) if is_plain else None
    if not task_id and not refusal and not _says_error(answer):
        under_way = filter(_is_under_way, described)
        task_id = task_ids.plain_id(answer) or _only_listed(answer) or _first(map(task_ids.weak_id, under_way))
    if not task_id and not refusal:
        task_id = task_ids.linked_id(answer)
    if task_id:
        return Accepted(task_id)
    raise refusal or _not_understood(answer, body)


def _not_understood(answer: Any, body: bytes) -> UnknownOutcomeError:
    said = f"the answer to the submit holds neither a task nor a picture: {excerpt(body)}"
    error = UnknownOutcomeError(said, status=200)
    error.answer = _whole(answer)
    return error


def task(body: bytes, asked: str, references: Collection[str] = ()) -> Task:
    """Read the body of a 2xx answer to the poll of one task; raise `GatewayError` when it does not hold that one.

    `references` are those of its request, as in `find_image`.
    """
    answer = loads(body)[0]
    described = [each for each in task_ids.candidates(answer) if word_of(each) is not None or "result" in each]
    ours = [each for each in described if asked in task_ids.ids_of(each, asked)]
    is_alone = not _names_another(answer, asked)
    finished: Task | None = None
    for candidate in (*ours, *_anonymous(described, asked)):
        found = _task(candidate, references)
        if is_alone and found.phase in (Phase.EMPTY, Phase.UNREADABLE):
            found = _with_image(found, answer, candidate, references)
        # "status: error" around no task speaks of the poll; believing it would forget a task that is paid for.
        is_about_poll = candidate is answer and not task_ids.task_id_of(candidate)
        if is_about_poll and (found.phase in (Phase.FAILED, Phase.EMPTY) or (found.image is None and error_of(answer))):
            break
        if found.phase not in (Phase.EMPTY, Phase.UNREADABLE):
            return found
        finished = finished or replace(found, answer=_whole(answer))
    if finished:
        return finished
    image = find_image(answer, references) if is_alone and not described else None
    if image:
        return Task(Phase.READY, image)
    raise GatewayError(f"the answer to a poll holds no task: {excerpt(body)}", status=200)


def _anonymous(described: Iterable[dict[str, Any]], asked: str) -> Iterator[dict[str, Any]]:
    """The objects that name no task: what is around another's task may speak of that one."""
    for candidate in described:
        if task_ids.ids_of(candidate, asked):
            return
        yield candidate


def _names_another(answer: Any, asked: str) -> bool:
    return any(
        (ids := task_ids.ids_of(each, asked)) and asked not in ids and each is not answer
        for each in task_ids.candidates(answer)
    )


def tasks(
    body: bytes, asked: Iterable[str], references: Mapping[str, Collection[str]] | None = None
) -> dict[str, Task]:
    """Read the body of a 2xx answer to a batch poll: task id → task, for those asked for that it holds.

    Understood are a list of tasks, a mapping from id to task, and either of them under `data`, `tasks` or both. Left
    out is a task that is to be asked for alone: one of the status `error`, which may speak of the lookup (to believe it
    would forget what is paid for), and one that ended without a picture. `references` are by task id.
    """
    wanted, references = set(asked), references or {}
    found: dict[str, Task] = {}
    for task_id, candidate in _listed(loads(body)[0]):
        if task_id in wanted and not _is_error(candidate):
            described = _task(candidate, references.get(task_id, ()))
            if described.phase not in (Phase.EMPTY, Phase.UNREADABLE):
                found[task_id] = described
    return found


def kept_image(answer: str, references: Collection[str] = ()) -> Image | None:
    """The picture in an answer that an earlier version has kept because it did not understand it."""
    try:
        return find_image(json.loads(answer), references) if answer else None
    except (ValueError, RecursionError):
        return None


def _only_listed(answer: Any) -> str | None:
    """The id of the task that an answer describes under its id, as answers to batch polls do."""
    listed = [task_id for task_id, task in _listed(answer) if _is_under_way(task)]
    return task_ids.as_id(listed[0]) if len(listed) == 1 else None


def _listed(answer: Any, depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """(task id, task) pairs of a batch answer, whatever its shape."""
    if isinstance(answer, list):
        for item in answer[:_MOST_LISTED]:
            if isinstance(item, dict):
                inner = item.get("data")
                described = inner if isinstance(inner, dict) and word_of(item) is None else item
                task_id = task_ids.task_id_of(described) or task_ids.task_id_of(item)
                if task_id and _is_described(described):
                    yield task_id, described
    elif isinstance(answer, dict) and depth < _DEEPEST:
        for key, value in answer.items():
            if key in ("data", "tasks", "results", "items", "list"):
                yield from _listed(value, depth + 1)
            elif isinstance(value, dict) and _is_described(value):
                yield key, value


def _is_described(candidate: Mapping[str, Any]) -> bool:
    return "result" in candidate or any(name in candidate for name in NAMES)


def _is_error(candidate: Mapping[str, Any]) -> bool:
    return (word_of(candidate) or "").lower() == "error"


def _is_under_way(candidate: Mapping[str, Any]) -> bool:
    return phase_of(word_of(candidate) or "") in (Phase.QUEUED, Phase.RUNNING)


def _task(candidate: Mapping[str, Any], references: Collection[str]) -> Task:
    word = word_of(candidate)
    phase = phase_of(word) if word else None
    error = error_of(candidate)
    if phase is Phase.FAILED:
        said = error or message_of(candidate) or f"'{(word or '').lower()}', without a reason"
        return Task(Phase.FAILED, message=said)
    if phase in (Phase.QUEUED, Phase.RUNNING):
        return Task(phase)
    message = error or message_of(candidate)
    said = words(f"'{word}'" + (f": {message}" if message else ""))
    image = find_image(candidate, references)
    if word is not None and phase is None:
        return _in_own_words(candidate, word, image, said if word else "")
    if image and (word or _is_whole(candidate)):
        return Task(Phase.READY, image, cost_usd=number(candidate.get("cost")))
    if not word:
        return Task(Phase.RUNNING)
    # Finished without a picture is no proof that nothing is paid.
    if not error and not holds_more(candidate):
        return Task(Phase.EMPTY, message=said)
    return Task(Phase.UNREADABLE, message=said if message else words(f"'{word}': {_whole(candidate)}"))


def _in_own_words(candidate: Mapping[str, Any], word: str, image: Image | None, said: str) -> Task:
    """A task whose word is unknown, or no text: with a picture, it may be finished."""
    is_finished = sounds_finished(word)
    if error_of(candidate) and word and not (image and is_finished):
        return Task(Phase.UNREADABLE, message=said)
    phase = Phase.READY if image and is_finished and _is_whole(candidate) else Phase.RUNNING
    return Task(phase, image, said, number(candidate.get("cost")))


def _with_image(found: Task, answer: Any, candidate: Mapping[str, Any], references: Collection[str]) -> Task:
    """A task that has ended, with the picture that lies beside it in an answer about no other task."""
    image = find_image(answer, references)
    if image is None or phase_of(word_of(candidate) or "") is not Phase.READY:
        return found
    return Task(Phase.READY, image, cost_usd=number(candidate.get("cost")))


def _is_whole(candidate: Mapping[str, Any]) -> bool:
    """Whether an object without a word for its status may describe a finished task."""
    progress = number(candidate.get("progress"))
    return progress is None or progress in (1, _WHOLE)


def _says_error(answer: Any) -> bool:
    """Whether a text in place of a task is rather a part of what is said of an error."""
    if not isinstance(answer, dict) or error_of(answer) or answer.get("success") is False:
        return True
    return (number(answer.get("code")) or 0) >= _REDIRECTION


def _whole(answer: Any) -> str:
    pieces, size = [], 0
    # Bit by bit, as an answer may have 56 MB; with a check for circles, an encoder that is not used up keeps it alive.
    for piece in json.JSONEncoder(ensure_ascii=False, check_circular=False).iterencode(answer):
        pieces.append(piece[: MOST_KEPT - size])
        size += len(pieces[-1])
        if size == MOST_KEPT:
            break
    return "".join(pieces)


def _first(values: Iterable[str | None]) -> str | None:
    return next(filter(None, values), None)
