"""Runs commands in forks of one process that has loaded every module, which saves the start-up time."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))

import crash
from sites import Finished, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODULES = ("mkdocs.__main__", "mkdocs.commands.build", "mkdocs_gptimage.cli", "mkdocs_gptimage.plugin")
_LATER = (
    "mkdocs_gptimage.generate.executor",
    "mkdocs_gptimage.journal.journal",
    "filelock",
    "PIL.PngImagePlugin",
    "anyio._backends._asyncio",
)


class Forkserver:
    """A running fork server; not safe for several threads."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, folder: Path, *arguments: str, env: dict[str, str]) -> Finished:
        """Run `mkdocs …` or `gptimage …` in a folder, with these variables beside the usual ones."""
        with tempfile.TemporaryDirectory() as said:
            order = {"folder": str(folder), "arguments": arguments, "env": environment(env), "said": said}
            self._process.stdin.write(f"{json.dumps(order)}\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            out, err = ((Path(said) / name).read_text(encoding="utf-8") for name in ("out", "err"))
        return Finished(code, out, err)


@contextlib.contextmanager
def start_forkserver() -> Iterator[Forkserver]:
    """Run a fork server while the context lasts."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, __file__], stdin=pipe, stdout=pipe, text=True, env=environment(None)
    ) as process:
        yield Forkserver(process)
        process.stdin.close()


def _obey(order: dict[str, Any]) -> None:
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["env"])
    for number, name in enumerate(("out", "err"), 1):
        os.dup2(os.open(Path(order["said"]) / name, os.O_WRONLY | os.O_CREAT), number)
    if crash.CRASH in os.environ:
        crash.arm(os.environ[crash.CRASH])
    program, *sys.argv[1:] = order["arguments"]
    module, name = {"mkdocs": ("mkdocs.__main__", "cli"), "gptimage": ("mkdocs_gptimage.cli", "main")}[program]
    getattr(importlib.import_module(module), name)()


def _take_orders() -> None:
    for name in (*_MODULES, *_LATER):
        importlib.import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _obey(json.loads(line))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _take_orders()
