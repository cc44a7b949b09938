"""Problems → annotations of a GitHub workflow, which GitHub shows beside the lines of a pull request."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


# `docs/a.md:14: size: …`, `docs/a.md: …`; a title in brackets may stand behind the line.
_PROBLEM = re.compile(r"(?P<file>[^:]+?)(?::(?P<line>[0-9]+))?(?: \([^)]*\))?: (?P<message>.*)", re.DOTALL)
_TITLE = "gptimage"


def github_errors(problems: Iterable[str], project: Path) -> list[str]:
    """Return a workflow command for each problem; files are relative to the folder of mkdocs.yml."""
    root = _root(project)
    return [_error(problem, project, root) for problem in problems]


def _error(problem: str, project: Path, root: Path) -> str:
    found = _PROBLEM.fullmatch(problem)
    if found is None:
        return f"::error title={_TITLE}::{_escaped(problem)}"
    file = os.path.relpath(project / found["file"], root).replace(os.sep, "/")
    line = f",line={found['line']}" if found["line"] else ""
    return f"::error file={_escaped_property(file)}{line},title={_TITLE}::{_escaped(found['message'])}"


def _root(project: Path) -> Path:
    """The folder that GitHub takes files to be relative to: where the repository was checked out."""
    workspace = os.environ.get("GITHUB_WORKSPACE")
    if workspace and project.is_relative_to(workspace):
        return Path(workspace)
    repository = next((folder for folder in (project, *project.parents) if (folder / ".git").exists()), None)
    return repository or project


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
