"""Where a task is described in an answer of the service, and its id."""

from __future__ import annotations

import itertools
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from mkdocs_gptimage.service import names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAMES = ("task_id", "taskId", "id")
"""The fields that hold the id of the object around them, the clearest first."""
EXPLICIT = NAMES[:2]
# Never with `.` or `..` between slashes: an id becomes a part of an address.
_TASK_ID = re.compile(r"(?!(?:[!-~]*/)?\.+(?:/|\Z))[!-~]{1,1000}")
_PLAIN_ID = re.compile(r"(?=[^0-9]*[0-9])[A-Za-z0-9_.:~-]{1,200}")
_WEAK = ("uuid", "uid", "request_id", "requestId")
"""Fields that hold the id of a task under way which has no other."""
_TASK_LINK = re.compile(r"(?:https?://[^\s?#]*|(?:/[^\s?#]*)?)/tasks/(?P<id>[A-Za-z0-9_.:~%-]{1,200})/?(?:[?#]\S*)?")
_LARGEST = 10**40
_EXACT = 2**53
"""Below it, floats are exact."""
_DEEPEST = 6
_WRAPPERS = ("data", "task", "job", "output", "result", "response", "tasks")
_WORK = names.vocabulary("task job generation prediction")
_ID = names.vocabulary("id ids uuid uid")
_LONGEST_LINK = 2000
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
    numbers = [found for value in values if isinstance(value, (int, float)) and (found := as_id(value))]
    return texts + numbers if asked.isdigit() else texts


def as_id(value: Any) -> str | None:
    """A value as a task's id: a text, or a whole number above zero; None for anything else."""
    if isinstance(value, float) and value.is_integer() and value < _EXACT:
        value = int(value)
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
        if found and _PLAIN_ID.fullmatch(found):
            return found
    return None


def weak_id(candidate: Mapping[str, Any]) -> str | None:
    """The id of a task under way that goes by a field which means something else in other answers."""
    return task_id_of(candidate, _WEAK)


def linked_id(answer: Any) -> str | None:
    """The id in a link of an answer to its task: `/v1/tasks/task_1`."""
    for text in _fields(answer):
        content = text.content.strip() if isinstance(text.content, str) else ""
        match = _TASK_LINK.fullmatch(content) if len(content) <= _LONGEST_LINK else None
        if match and (found := as_id(unquote(match["id"]))):
            return found
    return None


def named_id(answer: Any, *, with_errors: bool = False) -> str | None:
    """An id that is named as a task's, wherever it lies in an answer, but not in what it repeats of the request."""
    for field in _fields(answer, with_errors=with_errors):
        value = field.content
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        found = as_id(value) if _names_work(field.name, field.around) else None
        if found:
            return found
    return None


@dataclass(frozen=True)
class _Field:
    """A field of an answer, or an item of a list in it."""

    content: Any
    name: str
    around: str
    """The name of the field around it."""
    depth: int


def _fields(answer: Any, *, with_errors: bool = False) -> Iterator[_Field]:
    """The fields of an answer, breadth first, without what lies below those of the request and of errors."""
    values = deque([_Field(answer, "", "", 0)])
    seen = 0
    while values and seen < _MOST_VALUES:
        field = values.popleft()
        seen += 1
        yield field
        if field.depth > _DEEPEST or names.is_of_request(field.name):
            continue
        if field.name.lower().startswith("error") and not with_errors:
            continue
        if isinstance(field.content, list):
            first = itertools.islice(field.content, _MOST_VALUES - seen)
            values += (_Field(item, field.name, field.around, field.depth + 1) for item in first)
        elif isinstance(field.content, dict):
            pairs = itertools.islice(field.content.items(), _MOST_VALUES - seen)
            values += (_Field(item, name, field.name, field.depth + 1) for name, item in pairs)


def _names_work(name: str, around: str) -> bool:
    words = names.words_of(name)
    other = words - _ID
    return bool(words & _ID) and other <= _WORK and bool(other or names.words_of(around) & _WORK)
