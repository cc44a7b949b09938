"""Saves under `mkdocs serve`: what the plugin adds to the rebuild of a page that has no block.

One process builds as the server does, with the plugin and with the fences left as code, in turn.
"""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path

import sites
from mkdocs.commands.build import build
from mkdocs.config import load_config


class Server:
    """Builds a site again and again, with the plugins of one server."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._folder = tempfile.TemporaryDirectory(prefix="mkdocs_")
        load_config(str(config)).plugins.on_startup(command="serve", dirty=False)

    def rebuild(self) -> float:
        """Build; return the seconds of CPU that it takes."""
        config = load_config(str(self._config), site_dir=self._folder.name)
        started = time.process_time()
        build(config, serve_url="http://127.0.0.1:8000/")
        return time.process_time() - started


def measure(folder: Path, pages: int, blocks: int, runs: int) -> None:
    """Print one row: `blocks` of the pages have a block each."""
    sites.write_site(folder, pages, blocks=False)
    for number in range(blocks):
        path = folder / "docs" / ("index.md" if number == 0 else f"part-{number}.md")
        path.write_text(sites.page(number, blocks=True), encoding="utf-8")
    sites.fill_store(folder, blocks)
    ours = Server(sites.configure(folder, "ours", f"[{sites.PLUGIN}]"))
    plain = Server(sites.configure(folder, "plain", "[]"))
    ours.rebuild(), plain.rebuild()
    ratios = []
    saved = folder / "docs" / f"part-{pages - 1}.md"
    for number in range(runs):
        saved.write_text(f"{sites.page(pages - 1, blocks=False)}\nSaved {number} times.\n", encoding="utf-8")
        ratios.append(ours.rebuild() / plain.rebuild())
    sites.row(f"{pages} pages, {blocks} of them with a block", "1.05", sites.summary(ratios, ""))


def main() -> None:
    options = sites.arguments(__doc__, ("runs", int, 15, "pairs of rebuilds"))
    logging.getLogger("mkdocs").setLevel(logging.ERROR)
    for pages, blocks in ((200, 20), (200, 200), (1000, 100)):
        with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
            measure(Path(name, "site"), pages, blocks, options.runs)


if __name__ == "__main__":
    main()
