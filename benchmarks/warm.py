"""Warm builds: what 1,000 stored pictures cost a build that asks the service for nothing.

Times are the plugin's own, taken around its hooks, its Markdown extension and its copying, in this process; CPU is
that of whole `mkdocs build` processes, in interleaved pairs.
"""

from __future__ import annotations

import functools
import logging
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sites
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.plugins import CombinedEvent
from mkdocs.structure.files import File

from mkdocs_gptimage.blocks import extension as fences
from mkdocs_gptimage.hosts.mkdocs.files import LinkedFile
from mkdocs_gptimage.hosts.mkdocs.plugin import GptImagePlugin

if TYPE_CHECKING:
    from collections.abc import Callable

OUTPUT = {
    1: "{}",
    8: "{formats: [webp, avif], widths: [64, 128, 192, 256]}",
}
"""Files of each picture → the option that asks for them."""
CONTENT = ("_collect", "_restore")
"""The parts of on_page_content."""
HOOKS = ("on_config", *CONTENT, "on_env", "on_pre_page", "on_page_context")
SLOW_IMPORTS = ("httpx", "PIL", "jsonschema", "rich", "asyncio", "anyio", "diskcache")


class Stopwatch:
    """Seconds spent in wrapped functions, by name; a call inside a wrapped call is not counted twice."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside = False

    def wrap(self, owner: Any, method: str, name: str) -> None:
        function: Callable[..., Any] = getattr(owner, method)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return function(*args, **kwargs)
            self._inside = True
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started
                self._inside = False

        setattr(owner, method, timed)

    def take(self) -> dict[str, float]:
        taken, self.seconds = self.seconds, {}
        return taken


def watch() -> Stopwatch:
    """Wrap everything of ours that a build calls."""
    stopwatch = Stopwatch()
    for hook in HOOKS:
        stopwatch.wrap(GptImagePlugin, hook, hook)
    GptImagePlugin.on_page_content = CombinedEvent(*(getattr(GptImagePlugin, part) for part in CONTENT))
    for part in ("JoinSuperfences", "FindBlocks", "SeparateBlocks", "_Resolve"):
        stopwatch.wrap(getattr(fences, part), "run", "markdown")
    stopwatch.wrap(LinkedFile, "copy_file", "publish")
    return stopwatch


def hooks_only(taken: dict[str, float]) -> float:
    return sum(seconds for name, seconds in taken.items() if name != "publish")


def measure(config: Path, stopwatch: Stopwatch) -> dict[str, float]:
    """Build once in this process; return the seconds by name."""
    build(load_config(str(config)))
    return stopwatch.take()


def copying(folder: Path, config: Path) -> float:
    """Seconds that MkDocs' own copying takes for the same files."""
    loaded = load_config(str(config))
    shutil.rmtree(loaded.site_dir, ignore_errors=True)
    cache = folder / ".cache" / "gptimage" / "web"
    target = f"{loaded.site_dir}/assets/gptimage"
    names = sorted(path.name for path in cache.iterdir() if path.suffix != ".json")
    files = [File(name, str(cache), target, use_directory_urls=True) for name in names]
    started = time.perf_counter()
    for file in files:
        file.copy_file()
    return time.perf_counter() - started


def in_process(folder: Path, empty: Path, plugins: str, pages: int, runs: int) -> None:
    """The plugin's own time."""
    stopwatch = watch()
    ours, none = (sites.configure(site, "ours", plugins) for site in (folder, empty))
    plain = sites.configure(folder, "copied", "[]")
    first = sites.build(ours)
    with_blocks, without_blocks, linked, copied = [], [], [], []
    for _ in range(runs):
        with_blocks.append(measure(ours, stopwatch))
        copied.append(copying(folder, plain))
        linked.append(with_blocks[-1].pop("publish"))
        without_blocks.append(hooks_only(measure(none, stopwatch)))
    imported = [name for name in SLOW_IMPORTS if name in sys.modules]
    per_block = [1000 * hooks_only(taken) / pages for taken in with_blocks]
    sites.row("own time per block", "0.6 ms", sites.summary(per_block, "ms"))
    for name in with_blocks[0]:
        sites.row(f"  of it {name}", "", sites.summary([1000 * taken[name] / pages for taken in with_blocks], "ms"))
    sites.row(
        "own time per page without a block",
        "0.03 ms",
        sites.summary([1000 * seconds / pages for seconds in without_blocks], "ms", 4),
    )
    sites.row("first build, cache empty: whole", "", f"{first.seconds:.1f} s, {first.user:.1f} s of user CPU")
    sites.row("publishing all files", "", sites.summary(linked, "s", 4))
    sites.row("  copied by MkDocs", "", sites.summary(copied, "s", 4))
    sites.row("  ratio", "0.125", sites.summary([one / other for one, other in zip(linked, copied, strict=True)], ""))
    sites.row("slow modules imported after all builds", "none", ", ".join(imported) or "none")


def whole_builds(folder: Path, plugins: str, pairs: int, theme: str) -> None:
    """User CPU of whole builds, with the plugin and with the fences left as code."""
    ours = sites.configure(folder, "with", plugins, theme=theme)
    plain = sites.configure(folder, "without", "[]", theme=theme)
    sites.build(plain), sites.build(ours)
    runs = [(sites.build(plain), sites.build(ours)) for _ in range(pairs)]
    sites.row("user CPU of a build, fences left as code", "", sites.summary([a.user for a, _ in runs], "s", 2))
    sites.row("user CPU of a build, with the plugin", "", sites.summary([b.user for _, b in runs], "s", 2))
    sites.row("  ratio", "1.15", sites.summary([b.user / a.user for a, b in runs], ""))
    sites.row("  ratio of wall times", "", sites.summary([b.seconds / a.seconds for a, b in runs], ""))
    least = min(b.user for _, b in runs) / min(a.user for a, _ in runs)
    sites.row("  ratio of the least user CPU", "", f"{least:.3f}")


def main() -> None:
    options = sites.arguments(
        __doc__,
        ("pages", int, 1000, "pages, with one block each"),
        ("runs", int, 7, "builds in this process"),
        ("pairs", int, 7, "pairs of builds as processes"),
        ("theme", str, "mkdocs", "theme of the sites"),
        ("files", int, 8, "files of each picture, 1 or 8"),
        ("captions", int, 0, "1 gives every block a caption with inline Markdown"),
    )
    logging.getLogger("mkdocs").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder, empty = Path(name, "blocks"), Path(name, "empty")
        sites.write_site(folder, options.pages, blocks=True, captions=bool(options.captions))
        sites.fill_store(folder, options.pages, captions=bool(options.captions))
        sites.write_site(empty, options.pages, blocks=False)
        plugins = f"[{sites.PLUGIN}: {{output: {OUTPUT[options.files]}}}]"
        in_process(folder, empty, plugins, options.pages, options.runs)
        whole_builds(folder, plugins, options.pairs, options.theme)


if __name__ == "__main__":
    main()
