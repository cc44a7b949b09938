"""Finds the environment variables of API keys in the text of a configuration, before any code that it names runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mkdocs_gptimage.fs import read_regular_file
from mkdocs_gptimage.settings import KEY_SUFFIX, Api

if TYPE_CHECKING:
    from pathlib import Path

_INHERIT = re.compile(r"^INHERIT\s*:\s*['\"]?([^'\"#\n]+?)['\"]?\s*(?:#.*)?$", re.MULTILINE)
_OPTION = re.compile(r"key_env['\"]?\s*:\s*([^\n]*)")
_NESTED = ("mkdocs*.y*ml", "*/mkdocs*.y*ml", "*/*/mkdocs*.y*ml")
"""As deep as Material's `projects` looks for sites: projects/NAME/mkdocs.yml."""
_MAX_BYTES = 4 * 1024 * 1024
_NAME = re.compile(rf"[A-Z_][A-Z0-9_]*{KEY_SUFFIX}")


def key_variables(config_file: Path) -> set[str]:
    """Return the default variable, and those that the option `key_env` names.

    Read are the file, those that it inherits from, and the configurations of sites that lie beside or below it.
    """
    nested = [path for pattern in _NESTED for path in config_file.parent.glob(pattern)]
    texts = [*_chain(config_file), *map(_text, nested)]
    lines = [line for text in texts for line in _OPTION.findall(text)]
    return {Api.key_env}.union(*map(_NAME.findall, lines))


def _chain(config_file: Path) -> list[str]:
    """The text of a file, and those of the files that it inherits from."""
    texts: dict[Path, str] = {}
    path: Path | None = config_file.resolve()
    while path is not None and path not in texts:
        texts[path] = _text(path)
        parent = _INHERIT.search(texts[path])
        path = (path.parent / parent[1]).resolve() if parent else None
    return list(texts.values())


def _text(path: Path) -> str:
    try:
        return read_regular_file(path.resolve(), _MAX_BYTES).decode(errors="replace")
    except (OSError, RuntimeError):
        return ""
