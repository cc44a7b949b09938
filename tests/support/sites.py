"""Real sites in a folder, built by a real `mkdocs` in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from pathlib import Path

FIGURE = re.compile(r"<figure class=\"gpt-image.*?</figure>", re.DOTALL)
FAST = {"first_poll": 0.1, "poll_interval": 0.1}


@dataclass(frozen=True)
class Finished:
    """What a process left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


@dataclass(frozen=True)
class Site:
    """A folder with mkdocs.yml and docs."""

    root: Path

    @property
    def store(self) -> Path:
        return self.root / "gptimage"

    def page(self, path: str) -> str:
        return (self.root / "site" / path).read_text(encoding="utf-8")

    def figures(self, path: str) -> list[str]:
        return FIGURE.findall(self.page(path))

    def configure(self, *, plugins: list | None = None, **changes) -> None:
        """Write mkdocs.yml; `gptimage` in `changes` are the plugin's options."""
        options = changes.pop("gptimage", {})
        config = {"site_name": "Test", "plugins": [*(plugins or []), {"gptimage": options}], **changes}
        (self.root / "mkdocs.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")

    def write(self, pages: dict[str, str]) -> None:
        for path, text in pages.items():
            target = self.root / "docs" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")

    def build(self, *arguments: str, env: dict[str, str] | None = None) -> Finished:
        return run("-m", "mkdocs", "build", *arguments, cwd=self.root, env=env)

    def gptimage(self, *arguments: str, env: dict[str, str] | None = None) -> Finished:
        return run("-c", "from mkdocs_gptimage.cli import main; main()", *arguments, cwd=self.root, env=env)


def run(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> Finished:
    """Run this Python with arguments; keys and colours are never inherited."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "APIMASTER_API_KEY"}
    return {**kept, "NO_COLOR": "1", "NO_MKDOCS_2_WARNING": "1", **(extra or {})}


def block(**fields) -> str:
    """A block with these fields; values are written as YAML."""
    return f"```gpt-image\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}```\n"
