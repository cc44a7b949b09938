"""The words by which services say how far a task is."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.service.names import vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = ("status", "state", "task_status", "taskStatus")
"""The fields that hold such a word."""
_FINISHED = vocabulary(
    "completed complete succeeded success succeed successful successfully finished finish done ready"
)
_FINISHED_IN_CHINESE = ("\u5df2\u5b8c\u6210", "\u751f\u6210\u5b8c\u6210", "\u6210\u529f")
_NOT_YET = vocabulary("not never no almost nearly partially before until waiting pending to being")
# Only words that say that nothing was made: what they are said of is forgotten, and submitted again.
_FAILED = vocabulary(
    "failed fail fails failure cancelled canceled error errored rejected reject refused declined denied aborted "
    "blocked moderated unsuccessful"
)
_QUEUED = vocabulary("submitted pending queued queue created waiting accepted scheduled not_started not_start")
_RUNNING = vocabulary(
    "processing running in_progress progressing generating started starting active working rendering executing "
    "uploading"
)
# `TASK_STATUS_SUCCEED`, `GENERATE_FAILED`.
_AROUND = re.compile(r"\A(?:(?:task|status|state|job|create|generate|generation|image|request|content|in)_)+")


class Phase(enum.Enum):
    """How far a task is."""

    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    EMPTY = "empty"
    """Finished, it says, and no picture is there: it may follow."""
    UNREADABLE = "unreadable"
    """It has ended, and how is not understood."""


def word_of(candidate: Mapping[str, Any]) -> str | None:
    """The word of an object as it stands there; empty for one that is no text, None without any."""
    for name in NAMES:
        if name in candidate:
            word = candidate[name]
            if isinstance(word, dict):
                return word_of(word)
            return word.strip() if isinstance(word, str) else ""
    return None


def sounds_finished(word: str) -> bool:
    """Whether an unknown word speaks of an end: `SUCCESS_WITH_WARNINGS`, `done!`."""
    found = set(re.findall(r"[a-z]+", word.lower()))
    in_chinese = any(each in word for each in _FINISHED_IN_CHINESE)
    return in_chinese or bool(found & _FINISHED and not found & _NOT_YET)


def phase_of(word: str) -> Phase | None:
    """Return the phase that a word stands for; None for an unknown one."""
    plain = re.sub(r"[\s-]+", "_", word.strip().lower())[:100]
    for each in (plain, _AROUND.sub("", plain)):
        for words, phase in (
            (_FINISHED, Phase.READY),
            (_FAILED, Phase.FAILED),
            (_QUEUED, Phase.QUEUED),
            (_RUNNING, Phase.RUNNING),
        ):
            if each in words:
                return phase
    return None
