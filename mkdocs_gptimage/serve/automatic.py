"""Automatic generation under a development server: pictures whose blocks have settled, within the budget."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Collection, Iterable

    from mkdocs_gptimage.serve.jobs import SiteBuild
    from mkdocs_gptimage.spec.digest import Digest

SETTLED_SECONDS = 5.0
"""So long a block must be unchanged before its picture is made without being asked for."""


class AutomaticGeneration:
    """Decides which missing pictures to make without being asked; the caller holds the generator's lock."""

    def __init__(self, log: logging.Logger) -> None:
        self.is_held = False
        """A build is under way and may fail: what the pages ask for is unknown until it ends."""
        self._log = log
        self._first_seen: dict[Digest, float] = {}
        """When each missing picture was asked for first (monotonic clock)."""
        self._prices: dict[Digest, float] = {}
        """Of what was made without being asked for: USD by digest, 0 where the site sets no price. Counted across the
        server's runs: they are short, and each alone has the whole budget."""
        self._is_used_up = False

    def watch(self, digests: Collection[Digest], build: SiteBuild, builds: Iterable[SiteBuild]) -> None:
        """Note since when the missing pictures of a build have been asked for; `builds` are all of the server."""
        now = time.monotonic()
        build.first_seen.update((digest, self._first_seen.get(digest, now)) for digest in digests)
        self._first_seen = {digest: seen for each in builds for digest, seen in each.first_seen.items()}

    def schedule(self, make_settled: Callable[[], None]) -> None:
        """Call once the pictures that are watched now have settled."""
        timer = threading.Timer(SETTLED_SECONDS + 0.1, make_settled)
        timer.daemon = True
        timer.start()

    def take_settled(self, build: SiteBuild, busy: Collection[Digest]) -> list[Digest]:
        """Return the pictures of a build to make now, and reserve their price; `busy` ones are made already.

        Empty while a later build is under way, and where the budget is used up, which is logged once.
        """
        until = time.monotonic() - SETTLED_SECONDS
        settled = [
            digest
            for digest in build.first_seen
            if self._first_seen.get(digest, until + 1) <= until and digest not in busy
        ]
        if self.is_held or not settled or not self._reserve(settled, build):
            return []
        return settled

    def _reserve(self, digests: Iterable[Digest], build: SiteBuild) -> bool:
        prices, budget, pictures = build.settings.prices, build.settings.budget, build.catalog.pictures
        total = self._prices | {digest: prices.get(pictures[digest].spec.resolution, 0.0) for digest in digests}
        too_many = budget.images is not None and len(total) > budget.images
        too_expensive = budget.usd is not None and sum(total.values()) > budget.usd
        if not (too_many or too_expensive):
            self._prices = total
            return True
        if not self._is_used_up:
            self._log.info(
                "the budget for automatic generation is used up for this server; use the buttons on the cards"
            )
        self._is_used_up = True
        return False
