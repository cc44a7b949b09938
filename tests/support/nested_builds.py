"""Sites whose reading builds another site, `nested/`, in each of the ways that hooks and plugins have for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from scripted_service import KEY
from sites import FAST, Site, block

if TYPE_CHECKING:
    from pathlib import Path

IN_PROCESS = """
from mkdocs.commands.build import build
from mkdocs.config import load_config

def on_pre_build(config):
    build(load_config("nested/mkdocs.yml"))
"""
# What a hook builds before the pages of its own site are read, and what it does with the processes of a pool.
OF_A_POOL = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import nested_in_a_pool

def on_pre_build(config):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("{method}")) as pool:
        pool.submit(nested_in_a_pool.run).result()
"""
RUN = """
from mkdocs.commands.build import build
from mkdocs.config import load_config

def run():
    build(load_config("nested/mkdocs.yml"))
"""
COMMAND = """
import subprocess, sys

def on_pre_build(config):
    subprocess.run([sys.executable, *{arguments}], check={check})
"""
CLEAN = """
import os, subprocess, sys

def on_pre_build(config):
    environment = {{"PATH": os.environ["PATH"], "APIMASTER_API_KEY": {key!r}}}
    command = [sys.executable, "-m", "mkdocs", "build", "-q", "-f", "nested/mkdocs.yml"]
    subprocess.run(command, env=environment, check=True)
"""
LATE = """
import os, threading
from mkdocs.commands.build import build
from mkdocs.config import load_config

def on_shutdown():
    os.environ["APIMASTER_API_KEY"] = {key!r}
    threading.Thread(target=lambda: build(load_config("nested/mkdocs.yml"))).start()
"""
HOOKS = {
    "build()": IN_PROCESS,
    "mkdocs build": COMMAND.format(arguments=["-m", "mkdocs", "build", "-q", "-f", "nested/mkdocs.yml"], check=True),
    "gptimage generate": COMMAND.format(
        arguments=["-c", "from mkdocs_gptimage.cli import main; main()", "generate", "-f", "nested/mkdocs.yml"],
        check=False,
    ),
    "mkdocs build with a key of its own": CLEAN.format(key=KEY),
    "thread that goes on": LATE.format(key=KEY),
    "spawned pool": OF_A_POOL.format(method="spawn"),
    "forked pool": OF_A_POOL.format(method="fork"),
}
NEIGHBOURS = (*HOOKS, "Material's projects")


WITNESS = """
import os
from pathlib import Path

def on_page_content(html, page, config, files):
    (Path(__file__).parent / "read.txt").write_text("\\n".join(os.environ.values()))
"""


class Nested:
    """A site with the pictures `stored` and `missing` on its page, and one beside it that misses `nested`."""

    def __init__(self, root: Path, base_url: str) -> None:
        self.site = Site(root)
        self._options = {"api": {"base_url": base_url, **FAST}}
        self.site.write({"index.md": block(prompt="stored", id="stored") + "\n" + block(prompt="missing")})
        self.folder = root / "nested"

    def configure(self, neighbour: str | None = None, hook: str = "") -> None:
        """Write both configurations; reading the outer site builds the nested one as the neighbour does."""
        hook = hook or HOOKS.get(neighbour or "", "")
        changes: dict[str, Any] = {"theme": {"name": "mkdocs"}, "gptimage": self._options}
        if hook:
            (self.site.root / "hook.py").write_text(hook)
            (self.site.root / "nested_in_a_pool.py").write_text(RUN)
            changes["hooks"] = ["hook.py"]
        elif neighbour:
            changes["plugins"] = [{"material/projects": {"projects_dir": "."}}]
        self.site.configure(**changes)
        (self.folder / "docs").mkdir(parents=True, exist_ok=True)
        (self.folder / "docs/index.md").write_text(block(prompt="nested"))
        options = {**self._options, "on_missing": "generate"}
        config = {"site_name": "Nested", "theme": {"name": "mkdocs"}, "plugins": [{"gptimage": options}]}
        (self.folder / "witness.py").write_text(WITNESS)
        config["hooks"] = ["witness.py"]
        (self.folder / "mkdocs.yml").write_text(yaml.safe_dump(config))

    def written(self) -> set[str]:
        """What builds of the nested site have put beside its sources; it witnesses each with `read.txt`."""
        return {path.name for path in self.folder.iterdir()} - {"docs", "mkdocs.yml", "witness.py", "__pycache__"}
