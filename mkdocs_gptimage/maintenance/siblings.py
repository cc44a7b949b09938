"""Finds other configuration files in the folder of a site that may use the same store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


_INHERIT = re.compile(r"^INHERIT\s*:\s*['\"]?([^'\"#\n]+?)['\"]?\s*(?:#.*)?$", re.MULTILINE)
_PLUGINS = re.compile(r"^plugins\s*:", re.MULTILINE)
_OURS = re.compile(r"^[^#\n]*\bgptimage\b", re.MULTILINE)


def sibling_configurations(configurations: Iterable[Path]) -> list[Path]:
    """Return the other files in the folder of the first configuration that name the plugin or share a parent with it.

    `configurations`, and the files that they inherit from, are left out.
    """
    chains = [_chain(path) for path in configurations]
    first, excluded = chains[0], set().union(*chains)
    files = [path for ending in ("*.yml", "*.yaml") for path in sorted(first[0].parent.glob(ending))]
    return [path for path in files if path.resolve() not in excluded and _may_share(path, first)]


def _may_share(path: Path, chain: Iterable[Path]) -> bool:
    text = _text(path)
    return bool(_PLUGINS.search(text) and _OURS.search(text)) or not set(_chain(path)).isdisjoint(chain)


def _chain(path: Path) -> list[Path]:
    """A file and all that it inherits from, resolved."""
    found = [path.resolve()]
    while (parent := _INHERIT.search(_text(found[-1]))) and (next_one := _beside(found[-1], parent[1])) not in found:
        found.append(next_one)
    return found


def _beside(path: Path, name: str) -> Path:
    return (path.parent / name).resolve()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
