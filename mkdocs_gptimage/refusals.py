"""Why a submit was not accepted, with what to look at where that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import AccessError, BalanceError, BusyError, GptImageError, RejectedError

if TYPE_CHECKING:
    from .settings import Api

_NOT_FOUND_THERE = frozenset({301, 307, 308, 404, 405, 410})
"""Answers to a submit that was sent to a wrong address."""


def explain(error: GptImageError, api: Api) -> str:
    """Return what an error says, and what to do about it."""
    if isinstance(error, BalanceError):
        return f"{error}; the account's balance is used up"
    if isinstance(error, AccessError):
        return f"{error}; check the key in {api.key_env}"
    if isinstance(error, BusyError) and error.status is None:
        return f"{error}; check the network and api.base_url"
    if isinstance(error, RejectedError) and error.status in _NOT_FOUND_THERE:
        return f"{error}; check api.base_url and api.submit_path"
    return str(error)
