"""Read-only mode: while a site is only read, neither this process nor one that it starts submits or collects anything.

An environment variable takes the mode along into child processes; its value is the folder that sites are built into.
API keys are taken out of the environment meanwhile, for hooks and plugins see it, and child processes inherit it.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

VARIABLE = "GPTIMAGE_READ_ONLY"


@dataclass
class _State:
    """The mode of this process: one for all threads, as the environment is."""

    depth: int = 0
    keys: dict[str, str] = field(default_factory=dict)
    """Variables that were taken out of the environment, with their values."""
    inherited: str | None = None
    """The value of `VARIABLE` outside of the mode: another process may be reading a site and have started this one."""


_state = _State()


def is_active() -> bool:
    """Whether a site is only being read, by this process or one that has started it."""
    return bool(_state.depth or os.environ.get(VARIABLE))


@contextlib.contextmanager
def reading(folder: str = "1") -> Iterator[None]:
    """Put this process into read-only mode; the environment is as before at the end. May be nested.

    `folder` is a temporary one that sites are built into meanwhile.
    """
    before = os.environ.get(VARIABLE)
    if not _state.depth:
        _state.inherited = before
    _state.depth += 1
    os.environ[VARIABLE] = folder
    try:
        yield
    finally:
        _state.depth -= 1
        _set(VARIABLE, before)
        if not _state.depth:
            os.environ.update({name: key for name, key in _state.keys.items() if name not in os.environ})
            _state.keys.clear()


def hide_keys(names: Iterable[str]) -> None:
    """Take the variables of API keys out of the environment until the mode ends."""
    for name in names:
        key = os.environ.pop(name, None)
        if key is not None:
            _state.keys.setdefault(name, key)


def outer_environment() -> dict[str, str]:
    """Return the environment as it is outside of the mode of this process, with the keys."""
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE or not _state.depth}
    inherited = {VARIABLE: _state.inherited} if _state.depth and _state.inherited else {}
    return {**environment, **_state.keys, **inherited}


def is_read_only(environment: Mapping[str, str]) -> bool:
    """Whether an environment belongs to a process that may not pay."""
    return bool(environment.get(VARIABLE))


def site_folder() -> Path | None:
    """Return the temporary folder that sites are built into; None outside of the mode, or when it is gone."""
    value = os.environ.get(VARIABLE, "")
    return Path(value) if os.path.isabs(value) and os.path.isdir(value) else None  # noqa: PTH112, PTH117 - any text


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
