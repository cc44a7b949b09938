"""Names in the store's folder: where the files of a picture belong, and which files are misplaced.

A picture whose files were moved, or renamed to upper case, is paid for already and must not count as missing.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs_gptimage.owned_folder import JOURNAL
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.spec.digest import Digest
from mkdocs_gptimage.store.record import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator


SHARD = re.compile(r"[0-9a-f]{2}")
"""The name of a shard: the folder of all pictures whose digests begin with these two digits."""
PART = re.compile(r"\.[0-9a-f]{28}\.part")
"""The name of a file of a picture that is being written: see `fs.PART`."""
_FILE = re.compile(r"(?P<digest>[0-9a-f]{64})\.(?:png|jpe?g|webp|json)", re.IGNORECASE)


class DirectoryIndex:
    """The names in a store's folders, each listed once: a build looks up hundreds of pictures."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._shards: dict[str, dict[Digest, list[str]]] = {}
        self._elsewhere: dict[Digest, list[Path]] | None = None

    def forget(self, digest: Digest) -> None:
        """List a picture's shard again: its files have changed."""
        self._shards.pop(digest[:2], None)

    def names(self, digest: Digest) -> list[str]:
        """Names of a picture's files in its shard, upper case included."""
        folder = digest[:2]
        if folder not in self._shards:
            self._shards[folder] = _by_digest(self._root / folder)
        return self._shards[folder].get(digest, [])

    def others(self, digest: Digest, ending: str) -> list[str]:
        """Names beside a pair that belong to the same picture: a second format, or a name in upper case."""
        names = self.names(digest)
        expected = {f"{digest}.json", f"{digest}.{ending}"}
        # On a case-insensitive file system `X.PNG` is the file `X.png` itself.
        same = {name.lower() for name in expected - set(names)}
        return sorted(name for name in names if name not in expected and name.lower() not in same)

    def elsewhere(self, digest: Digest) -> list[Path]:
        """Files that carry this picture's digest outside its place."""
        if self._elsewhere is None:
            self._elsewhere = {}
            for path, name_digest in picture_files(self._root):
                if not is_in_place(path, name_digest, self._root):
                    self._elsewhere.setdefault(name_digest, []).append(path)
        return self._elsewhere.get(digest, [])


def entry_name(root: Path, digest: Digest, ending: str) -> str:
    """The path of one of a picture's files, as text: faster than `Path` in lookups of all pictures of a site."""
    return f"{root}{os.sep}{digest[:2]}{os.sep}{digest}.{ending}"


def entry_path(root: Path, digest: Digest, ending: str) -> Path:
    """The path of one of a picture's files."""
    return root.joinpath(digest[:2], f"{digest}.{ending}")


def misplaced_reason(path: Path, digest: Digest, root: Path) -> str:
    """Return a message: where a file lies, and where it belongs."""
    found, expected = path.relative_to(root).as_posix(), f"{digest[:2]}/{digest}{path.suffix.lower()}"
    return f"{found} is misplaced, expected at {expected}"


def is_in_place(path: Path, digest: Digest, root: Path) -> bool:
    """Whether a file has the name and the folder of its picture."""
    names = {f"{digest}.{ending}" for ending in (*FORMATS, "json")}
    return path.name in names and path.parent == root / digest[:2]


def picture_files(root: Path) -> Iterator[tuple[Path, Digest]]:
    """(path, digest) of every file named like a picture's, in the store's folder and those directly below it."""
    for folder in (root, *_folders(root)):
        for digest, names in _by_digest(folder).items():
            yield from ((folder / name, digest) for name in names)


def part_files(root: Path) -> Iterator[Path]:
    """Unfinished files: being written, or left by a killed run."""
    for folder in shard_folders(root):
        yield from (Path(entry.path) for entry in _scan(folder) if PART.fullmatch(entry.name))


def shard_folders(root: Path) -> list[Path]:
    """The shards of the store, without other folders and symbolic links."""
    return [folder for folder in _folders(root) if SHARD.fullmatch(folder.name)]


def linked_shard(root: Path) -> Path | None:
    """Return a shard that is a symbolic link, which is never followed; None if there is none."""
    links = (entry for entry in _scan(root) if SHARD.fullmatch(entry.name) and entry.is_symlink())
    return next((Path(entry.path) for entry in links), None)


def _folders(root: Path) -> list[Path]:
    entries = (entry for entry in _scan(root) if entry.name != JOURNAL)
    return sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))


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
    except OSError as error:  # reported when a file in it cannot be read
        raise_if_lacking(error, f"the folder '{folder}' cannot be read")
        return []
