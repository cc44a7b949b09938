"""The layout of the store's folder: names of files, and files in unexpected places.

A picture whose files have moved, by a rename of its digest in capitals for example, is paid for already. It must not
look as if it were missing.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs_gptimage.spec.digest import Digest
from mkdocs_gptimage.store.record import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator


SHARD = re.compile(r"[0-9a-f]{2}")
"""The name of the folder of all pictures whose digests begin like that."""
PART = re.compile(r"\..+\.part")
"""The name of a file that is being written."""
_FILE = re.compile(r"(?P<digest>[0-9a-f]{64})\.(?:png|jpe?g|webp|json)", re.IGNORECASE)


class DirectoryIndex:
    """What a store's folder holds, listed once: a build looks up hundreds of names."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._shards: dict[str, dict[Digest, list[str]]] = {}
        self._elsewhere: dict[Digest, list[Path]] | None = None

    def forget(self, digest: Digest) -> None:
        """List a picture's folder anew: its files have changed."""
        self._shards.pop(digest[:2], None)

    def names(self, digest: Digest) -> list[str]:
        """Names of all files in a picture's folder that are the picture's, in capitals too."""
        folder = digest[:2]
        if folder not in self._shards:
            self._shards[folder] = _by_digest(self._root / folder)
        return self._shards[folder].get(digest, [])

    def others(self, digest: Digest, ending: str) -> list[str]:
        """Names beside a pair that are the same picture's too: a second format, or a name in other letters."""
        names = self.names(digest)
        expected = {f"{digest}.json", f"{digest}.{ending}"}
        # Where letters' case does not matter, `X.PNG` is the file that was asked for as `X.png`.
        same = {name.lower() for name in expected - set(names)}
        return sorted(name for name in names if name not in expected and name.lower() not in same)

    def elsewhere(self, digest: Digest) -> list[Path]:
        """Files that belong to this picture by name, and lie in an unexpected place."""
        if self._elsewhere is None:
            self._elsewhere = {}
            for path, name_digest in picture_files(self._root):
                if not is_in_place(path, name_digest, self._root):
                    self._elsewhere.setdefault(name_digest, []).append(path)
        return self._elsewhere.get(digest, [])


def is_in_place(path: Path, digest: Digest, root: Path) -> bool:
    """Whether a file lies where its picture is looked for."""
    names = {f"{digest}.{ending}" for ending in (*FORMATS, "json")}
    return path.name in names and path.parent == root / digest[:2]


def picture_files(root: Path) -> Iterator[tuple[Path, Digest]]:
    """(path, digest) of every file, in the store's folder and those directly below, that is named like a picture's."""
    for folder in (root, *_folders(root)):
        for digest, names in _by_digest(folder).items():
            yield from ((folder / name, digest) for name in names)


def part_files(root: Path) -> Iterator[Path]:
    """Files that were being written when a run ended."""
    for folder in shard_folders(root):
        yield from (Path(entry.path) for entry in _scan(folder) if PART.fullmatch(entry.name))


def shard_folders(root: Path) -> list[Path]:
    """The folders of the store; never one that only looks like it, or is a link out of it."""
    return [folder for folder in _folders(root) if SHARD.fullmatch(folder.name)]


def _folders(root: Path) -> list[Path]:
    return sorted(Path(entry.path) for entry in _scan(root) if entry.is_dir(follow_symlinks=False))


def _by_digest(folder: Path) -> dict[Digest, list[str]]:
    found: dict[Digest, list[str]] = {}
    for entry in _scan(folder):
        name = _FILE.fullmatch(entry.name)
        if name:
            found.setdefault(Digest(name["digest"].lower()), []).append(entry.name)
    return found


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # what cannot be listed is told when a file in it cannot be read
        return []
