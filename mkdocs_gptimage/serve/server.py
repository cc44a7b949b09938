"""Development server support: adds the script, the style sheet and the endpoint for generating pictures."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.addresses import is_loopback
from mkdocs_gptimage.publish.delivery import PlaceholderContext
from mkdocs_gptimage.serve.background import BackgroundGenerator
from mkdocs_gptimage.serve.card import card
from mkdocs_gptimage.serve.endpoint import ENDPOINT_FOLDER, Endpoint
from mkdocs_gptimage.serve.previous import find_previous
from mkdocs_gptimage.serve.rebuild import prepare_watched_folder

if TYPE_CHECKING:
    import logging
    from collections.abc import Collection

    from mkdocs_gptimage.figures.renderer import PageRenderer
    from mkdocs_gptimage.plan.plan import Plan
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest


class DevelopmentServer:
    """One development server, across its rebuilds."""

    assets = tuple(Path(__file__).with_name(name) for name in ("cards.js", "candidates.js", "cards.css"))
    """Files that its pages need; they are published below the site's assets."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._generator = BackgroundGenerator(os.environ, log)
        self._has_scanned = False

    def scans_for_unclaimed(self) -> bool:
        """Whether this build scans the journal for submissions that no page uses any more: the first one does."""
        is_first, self._has_scanned = not self._has_scanned, True
        return is_first

    def hold(self) -> None:
        """A build begins."""
        self._generator.hold()

    def placeholders(
        self, part: str, renderer: PageRenderer, plan: Plan, settings: Settings, auto_generate: Collection[Digest]
    ) -> PlaceholderContext:
        """Take what a part of the site asks for, and say how its pages show what is not there.

        `auto_generate` are the digests of missing pictures that are made without being asked for.
        """
        self._generator.update(part, renderer.collector.catalog, plan, settings, auto_generate)
        previous = find_previous(renderer.collector.catalog, renderer.snapshot, settings.cache)
        rows = {row.digest: row for row in plan.all_rows}
        return PlaceholderContext(
            functools.partial(card, rows=rows, settings=settings, environment=os.environ, token=self._generator.token),
            previous,
        )

    def attach(self, server: Any, host: str, port: int, settings: Settings) -> None:
        """Put the endpoint in front of a WSGI server's application, and have it rebuild when a picture is stored."""
        if not is_loopback(host):
            self._log.info("pictures can be made from the pages of a server that listens on 127.0.0.1 only")
            return
        path = f"{getattr(server, 'mount_path', '/')}{settings.assets}/{ENDPOINT_FOLDER}/"
        server.set_app(Endpoint(server.get_app(), self._generator, path, port))
        server.watch(prepare_watched_folder(settings.cache))

    def close(self) -> None:
        """End what is under way; what was accepted is collected by the next build."""
        self._generator.close()
