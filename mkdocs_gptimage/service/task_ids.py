"""Where a task is described in an answer of the service, and its id."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Never `.` or `..`: an id becomes a part of an address.
_TASK_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9_.:~-]{1,200}")


def candidates(answer: Any) -> Iterator[dict[str, Any]]:
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


def task_id_of(candidate: Mapping[str, Any], keys: tuple[str, ...] = ("task_id", "id")) -> str | None:
    """The id that an object has under the first of these keys."""
    for key in keys:
        value = candidate.get(key)
        if isinstance(value, str) and _TASK_ID.fullmatch(value):
            return value
    return None
