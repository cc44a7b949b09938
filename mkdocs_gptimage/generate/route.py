"""The address that takes the submits of one run: as configured, or its asynchronous twin after a synchronous answer.

Only a task can be collected after a crash, and services differ in which of their addresses makes one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import BalanceError, BusyError, RejectedError

if TYPE_CHECKING:
    from mkdocs_gptimage.errors import GatewayError

_ASYNC = "/async"
NOT_FOUND_THERE = frozenset({301, 307, 308, 404, 405, 410})
"""Answers to a submit that was sent to a wrong address; nothing was accepted."""
_TOO_LATE = 408
"""The answer of an address that draws, and needs too long for it."""


class SubmitRoute:
    """Chooses the path of each submit by what came of those before."""

    def __init__(self, submit_path: str) -> None:
        self._configured = submit_path
        path, mark, query = submit_path.partition("?")
        path = path.rstrip("/")
        self._twin = "" if path.endswith(_ASYNC) else f"{path}{_ASYNC}{mark}{query}"
        """Empty when there is none, or none any more."""
        self._has_answered = False
        """Whether the twin has accepted a submit."""
        self.path = submit_path
        """Of the next submit, relative to the base URL."""

    def note_picture(self, path: str) -> str:
        """Take note of an answer that was the picture itself; return what to say of it, once."""
        if path != self._configured or self.path != self._configured or not self._twin:
            return ""
        self.path = self._twin
        return (
            f"the service answered with the picture itself; the rest is submitted to {self._twin}, as only a task can "
            "be collected when a run is interrupted"
        )

    def note_accepted(self, path: str) -> None:
        """Take note of a submit that was accepted."""
        self._has_answered = self._has_answered or path == self._twin

    def note_failure(self, path: str, error: GatewayError) -> bool:
        """Take note of a submit that was not accepted, or may not have been; whether its address may be to blame.

        If so, it was not accepted and can be sent again, to the configured address, which takes the rest of the run.
        """
        if path == self._configured or self._has_answered or isinstance(error, (BusyError, BalanceError)):
            return False
        if error.status != _TOO_LATE:
            self.path, self._twin = self._configured, ""
        return isinstance(error, RejectedError)
