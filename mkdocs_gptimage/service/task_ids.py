"""Where a task is described in an answer of the service, and its id."""

from __future__ import annotations

import itertools
import re
from collections import deque
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.service import names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAMES = ("task_id", "taskId", "id")
"""The fields that hold the id of the object around them, the clearest first."""
EXPLICIT = NAMES[:2]
# Never `.` or `..`: an id becomes a part of an address.
_TASK_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9_.:~-]{1,200}")
_LARGEST = 10**40
_DEEPEST = 6
_WRAPPERS = ("data", "task", "job", "output", "result", "response", "tasks")
_WORK = names.vocabulary("task job generation prediction")
_MOST_VALUES = 20_000
"""Values that are looked at."""


def candidates(answer: Any) -> Iterator[dict[str, Any]]:
    """The objects of an answer that may describe a task or a picture, the most specific first."""
    if isinstance(answer, list):
        yield from (item for item in itertools.islice(answer, _MOST_VALUES) if isinstance(item, dict))
    elif isinstance(answer, dict):
        yield from itertools.islice(_inside(answer, 1), _MOST_VALUES)
        yield answer


def _inside(holder: Mapping[str, Any], depth: int) -> Iterator[dict[str, Any]]:
    for name in _WRAPPERS:
        inner = holder.get(name)
        for item in inner if isinstance(inner, list) else [inner]:
            if isinstance(item, dict):
                yield item
                if depth < _DEEPEST:
                    yield from _inside(item, depth + 1)


def task_id_of(candidate: Mapping[str, Any], keys: tuple[str, ...] = NAMES) -> str | None:
    """The id that an object has under the first of these keys."""
    return next(filter(None, (as_id(candidate.get(key)) for key in keys)), None)


def ids_of(candidate: Mapping[str, Any], asked: str) -> list[str]:
    """The ids by which an object goes; numbers only when a number was asked for: others count something else."""
    values = [candidate[key] for key in NAMES if key in candidate]
    texts = [value.strip() for value in values if isinstance(value, str) and value.strip()]
    numbers = [found for value in values if isinstance(value, int) and (found := as_id(value))]
    return texts + numbers if asked.isdigit() else texts


def as_id(value: Any) -> str | None:
    """A value as a task's id: a text, or a whole number above zero; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LARGEST:
        return str(value)
    if isinstance(value, str) and _TASK_ID.fullmatch(value.strip()):
        return value.strip()
    return None


def plain_id(answer: Any) -> str | None:
    """An id that stands in place of a task: `{"data": "task_1"}`. A word without a digit is none."""
    if not isinstance(answer, dict):
        return None
    for name in _WRAPPERS:
        inner = answer.get(name)
        value = inner[0] if isinstance(inner, list) and len(inner) == 1 else inner
        found = as_id(value)
        if found and re.search(r"[0-9]", found):
            return found
    return None


def named_id(answer: Any, *, with_errors: bool = False) -> str | None:
    """An id that is named as a task's, wherever it lies in an answer, but not in what it repeats of the request."""
    values: deque[tuple[Any, str, int]] = deque([(answer, "", 0)])
    seen = 0
    while values and seen < _MOST_VALUES:
        content, around, depth = values.popleft()
        seen += 1
        if depth > _DEEPEST:
            continue
        if isinstance(content, list):
            values += ((item, around, depth + 1) for item in itertools.islice(content, _MOST_VALUES - seen))
        elif isinstance(content, dict):
            for name, item in itertools.islice(content.items(), _MOST_VALUES - seen):
                found = as_id(item) if _names_work(name, around) else None
                if found:
                    return found
                if not names.is_of_request(name) and (with_errors or not name.lower().startswith("error")):
                    values.append((item, name, depth + 1))
    return None


def _names_work(name: str, around: str) -> bool:
    words = names.words_of(name)
    is_id = words == {"id"} and bool(names.words_of(around) & _WORK)
    return is_id or ("id" in words and bool(words - {"id"}) and words - {"id"} <= _WORK)
