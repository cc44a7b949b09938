"""Checks the folders of store and cache: a build must not publish, empty or ignore paid pictures."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.text import quote

_LONGEST_NAME = 130
"""Characters of the longest name below a folder of ours, subfolder included."""
_LONGEST_QUOTE = 200


@dataclass(frozen=True)
class SiteFolders:
    """The folders of a site."""

    project: Path
    docs: Path
    site: Path
    store: str
    """As mkdocs.yml has it, relative to the project, or absolute; as the cache."""
    cache: str


def folder_problems(folders: SiteFolders) -> list[str]:
    """Everything that is wrong with the store and the cache, as `name: what was found, what was expected`."""
    found = {name: _problem(getattr(folders, name), folders) for name in ("store", "cache")}
    if not any(found.values()) and _lies_in(folders.project / folders.store, folders.project / folders.cache):
        found["store"] = (
            f"{quote(folders.store)} lies inside the cache, which is never committed and may be deleted; expected a "
            "folder of its own"
        )
    if not any(found.values()) and _lies_in(
        folders.project / folders.cache, folders.project / folders.store / ".journal"
    ):
        found["cache"] = (
            f"{quote(folders.cache)} lies inside the store's .journal, which holds what is in flight; expected a "
            "folder of its own"
        )
    return [f"{name}: {problem}" for name, problem in found.items() if problem]


def _problem(option: str, folders: SiteFolders) -> str:
    shown = quote(option, _LONGEST_QUOTE)
    try:
        folder = folders.project / option
        os.lstat(folder / ("x" * _LONGEST_NAME))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass
    except ValueError:
        return f"{shown} is not a path"
    except OSError as error:
        raise_if_lacking(error, f"{shown} cannot be looked up")
        if error.errno != errno.ENAMETOOLONG:
            return f"{shown} cannot be used: {error.strerror}"
        length = len(os.fspath(folder))
        return f"{shown} is too long a path, {length} characters with its folder; expected a shorter one"
    return _place_problem(folder, shown, folders) or _state_problem(folder, shown)


def _place_problem(folder: Path, shown: str, folders: SiteFolders) -> str:
    if _lies_in(folder, folders.docs):
        return f"{shown} lies inside docs_dir, whose files are published and watched; expected a folder beside it"
    if _lies_in(folder, folders.site):
        return f"{shown} lies inside site_dir, which every build empties; expected a folder beside it"
    if _lies_in(folders.project, folder) or _lies_in(folders.docs, folder):
        return f"{shown} is not a folder of its own: the project or docs_dir lies inside; expected one like gptimage"
    return ""


def _state_problem(folder: Path, shown: str) -> str:
    # Not the methods of a path: they raise where a folder above may not be entered.
    if os.path.islink(folder) and not os.path.exists(folder):  # noqa: PTH110, PTH114
        target = quote(os.fspath(folder.readlink()))
        return f"{shown} is a symbolic link to {target}, which is not there; mount or create it"
    existing = next((each for each in (folder, *folder.parents) if os.path.exists(each)), folder)  # noqa: PTH110
    if not os.path.exists(existing) or os.path.isdir(existing):  # noqa: PTH110, PTH112
        return ""
    if existing == folder:
        return f"{shown} is not a folder"
    return f"{shown} cannot be used: it lies below a file, {quote(os.fspath(existing), _LONGEST_QUOTE)}"


def _lies_in(path: Path, folder: Path) -> bool:
    """Whether a path is a folder or lies inside, by name or once links are followed.

    By name: a build that empties a folder removes the links in it. By the files: names of other letters may be the
    same folder.
    """
    by_name = Path(os.path.abspath(path))  # noqa: PTH100 - `Path.absolute` keeps `..`
    resolved = path.resolve()
    if by_name.is_relative_to(os.path.abspath(folder)) or resolved.is_relative_to(folder.resolve()):  # noqa: PTH100
        return True
    return any(_is_same(each, folder) for each in (resolved, *resolved.parents))


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
