"""The cache folder: never committed, and deleting it loses no picture that is in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def prepare(cache: Path) -> None:
    """Create the cache folder, with a `.gitignore` that keeps it out of commits."""
    cache.mkdir(parents=True, exist_ok=True)
    ignore = cache / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
