"""Counters of what the emulator was asked for."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Stats:
    """Counters since the start. Only the event loop changes them."""

    submits: int = 0
    """Submits, whatever the answer."""
    accepted: int = 0
    """Tasks that were created: what a real service would charge for."""
    replayed: int = 0
    """Submits answered with an earlier task because of their Idempotency-Key."""
    polls: int = 0
    batch_polls: int = 0
    downloads: int = 0
    downloads_with_key: int = 0
    """Downloads with an Authorization header, which leaks the API key to the host of the pictures."""
    unauthorized: int = 0
    peak_in_flight: int = 0
    """Most tasks that were unfinished at the same time."""
    peak_submits: int = 0
    """Most submits that were being answered at the same time."""
    peak_downloads: int = 0
    open_submits: int = 0
    open_downloads: int = 0

    @contextmanager
    def submitting(self) -> Iterator[None]:
        """Count a submit while it is being answered."""
        self.submits += 1
        self.open_submits += 1
        self.peak_submits = max(self.peak_submits, self.open_submits)
        try:
            yield
        finally:
            self.open_submits -= 1

    @contextmanager
    def downloading(self) -> Iterator[None]:
        """Count a download while it is being sent."""
        self.downloads += 1
        self.open_downloads += 1
        self.peak_downloads = max(self.peak_downloads, self.open_downloads)
        try:
            yield
        finally:
            self.open_downloads -= 1
