"""Imports: what the plugin adds to loading MkDocs, and what a warm build never loads.

Import times are taken inside fresh processes, with and without the plugin in turn; the modules are those that a whole
`mkdocs build` has loaded when it ends.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
from pathlib import Path

import sites

SLOW = ("httpx", "httpcore", "PIL", "jsonschema", "rich", "asyncio", "anyio", "diskcache", "sqlite3", "ssl")

_HOST = "import mkdocs.__main__, mkdocs.commands.build, mkdocs.config.defaults, mkdocs.plugins, markdown, jinja2"
_TIMED = """
import time
started = time.perf_counter()
{host}
host = time.perf_counter()
{plugin}
print(host - started, time.perf_counter() - host)
"""
_BUILD = """
import json, sys
from mkdocs.__main__ import cli
cli(["build", "--quiet", "--config-file", sys.argv[1]], standalone_mode=False)
print(json.dumps(sorted(sys.modules)))
"""


def import_times(runs: int) -> None:
    """Seconds for the host alone, and for the host and the plugin, interleaved."""
    host, plugin, both, alone = [], [], [], []
    for _ in range(runs + 1):
        first = _seconds("")
        second = _seconds("import mkdocs_gptimage.plugin")
        alone.append(1000 * first[0])
        host.append(1000 * second[0])
        plugin.append(1000 * second[1])
        both.append(1000 * sum(second))
    sites.row("importing MkDocs alone", "", sites.summary(alone[1:], "ms", 1))
    sites.row("importing the plugin after it", "30 ms", sites.summary(plugin[1:], "ms", 1))
    difference = statistics.median(both[1:]) - statistics.median(alone[1:])
    sites.row("  difference of the medians of whole processes", "30 ms", f"{difference:.1f} ms")


def _seconds(plugin: str) -> list[float]:
    output = sites.run("-c", _TIMED.format(host=_HOST, plugin=plugin)).output
    return [float(word) for word in output.split()]


def _modules(config: Path) -> set[str]:
    return set(json.loads(sites.run("-c", _BUILD, str(config)).output.splitlines()[-1]))


def loaded_modules(folder: Path, pages: int) -> None:
    """What a build with a full store loads on top of a build without the plugin."""
    sites.write_site(folder, pages, blocks=True)
    sites.fill_store(folder, pages)
    ours = sites.configure(folder, "with", f"[{sites.PLUGIN}]")
    host = _modules(sites.configure(folder, "without", "[]"))
    _say("cache folder missing, store full", _modules(ours), host)
    _say("warm", _modules(ours), host)
    shutil.rmtree(folder / ".cache")
    _say("cache folder deleted", _modules(ours), host)


def _say(name: str, found: set[str], host: set[str]) -> None:
    slow = [module for module in SLOW if module in found - host]
    sites.row(f"slow modules of a build, {name}", "none", ", ".join(slow) or "none")
    foreign = sorted(name for name in found - host if not name.startswith("mkdocs_gptimage"))
    sites.row("  other modules that the plugin adds", "", ", ".join(foreign) or "none")


def main() -> None:
    options = sites.arguments(
        __doc__,
        ("runs", int, 21, "pairs of processes"),
        ("pages", int, 20, "pages of the site that is built"),
    )
    import_times(options.runs)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        loaded_modules(Path(name, "site"), options.pages)


if __name__ == "__main__":
    main()
