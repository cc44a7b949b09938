"""Prints problems as GitHub workflow annotations, shown beside the lines of a pull request."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mkdocs_gptimage.text import Problem


_TITLE = "gptimage"


def github_errors(problems: Iterable[Problem], project: Path) -> list[str]:
    """Return a workflow command for each problem; files are relative to the folder of mkdocs.yml."""
    return _commands("error", problems, project)


def github_warnings(problems: Iterable[Problem], project: Path) -> list[str]:
    """As `github_errors`, for problems that fail nothing."""
    return _commands("warning", problems, project)


def _commands(name: str, problems: Iterable[Problem], project: Path) -> list[str]:
    root = _root(project)
    return [_command(name, problem, project, root) for problem in problems]


def _command(name: str, problem: Problem, project: Path, root: Path) -> str:
    if not problem.file:
        return f"::{name} title={_TITLE}::{_escaped(problem.message)}"
    file = os.path.relpath(project / problem.file, root).replace(os.sep, "/")
    line = "" if problem.line is None else f",line={problem.line}"
    return f"::{name} file={_escaped_property(file)}{line},title={_TITLE}::{_escaped(problem.message)}"


def _root(project: Path) -> Path:
    """The folder to which GitHub's file names are relative: where the repository was checked out."""
    workspace = os.environ.get("GITHUB_WORKSPACE")
    if workspace and project.is_relative_to(workspace):
        return Path(workspace)
    repository = next((folder for folder in (project, *project.parents) if (folder / ".git").exists()), None)
    return repository or project


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
