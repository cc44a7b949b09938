"""Finds the environment variables of API keys in the text of a configuration, before any code that it names runs."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs_gptimage.settings import KEY_SUFFIX, Api

_INHERIT = re.compile(r"^INHERIT\s*:\s*['\"]?([^'\"#\n]+?)['\"]?\s*(?:#.*)?$", re.MULTILINE)
_OPTION = re.compile(r"key_env['\"]?\s*:\s*([^\n]*)")
_NAME = re.compile(rf"[A-Z_][A-Z0-9_]*{KEY_SUFFIX}")


def key_variables(config_file: Path) -> set[str]:
    """Return the default variable, and those that the option `key_env` names in a file or one that it inherits from."""
    names, read = {Api.key_env}, set[Path]()
    path: Path | None = config_file.resolve()
    while path is not None and path not in read:
        read.add(path)
        text = _text(path)
        names |= {name for line in _OPTION.findall(text) for name in _NAME.findall(line)}
        parent = _INHERIT.search(text)
        path = (path.parent / parent[1]).resolve() if parent else None
    return names


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
