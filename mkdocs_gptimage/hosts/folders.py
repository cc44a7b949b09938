"""Checks the folders of store and cache: a build must not publish, empty or ignore paid pictures."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from mkdocs_gptimage.owned_folder import JOURNAL, folder_fault
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
    found["cache"] = found["cache"] or _ownership_problem(folders)
    found["store"] = found["store"] or _journal_problem(folders)
    if not any(found.values()) and _lies_in(folders.project / folders.store, folders.project / folders.cache):
        found["store"] = (
            f"{quote(folders.store)} lies inside the cache, which is never committed and may be deleted; expected a "
            "folder of its own"
        )
    if not any(found.values()) and _lies_in(folders.project / folders.cache, folders.project / folders.store / JOURNAL):
        found["cache"] = (
            f"{quote(folders.cache)} lies inside the store's .journal, which holds what is in flight; expected a "
            "folder of its own"
        )
    return [f"{name}: {problem}" for name, problem in found.items() if problem]


def cache_folder(project: Path, option: str) -> Path:
    """Return the cache's folder; an absolute path outside the project may lead through symbolic links."""
    folder = project / option
    return folder.resolve() if Path(option).is_absolute() and not _lies_in(folder, project) else folder


def _ownership_problem(folders: SiteFolders) -> str:
    """Why files in the cache folder must not be written or deleted; links in a repository may lead anywhere."""
    shown = quote(folders.cache, _LONGEST_QUOTE)
    folder = cache_folder(folders.project, folders.cache)
    link = _first_link(folder, folders.project)
    if link is not None:
        return (
            f"{shown} leads through a symbolic link, {quote(os.fspath(link), _LONGEST_QUOTE)}; expected a folder: "
            "delete the link, or set an absolute path outside the project"
        )
    fault = folder_fault(folder)
    return fault and f"{shown} {fault}"


def _journal_problem(folders: SiteFolders) -> str:
    """Why the journal below the store must not be used."""
    fault = folder_fault(folders.project / folders.store / JOURNAL)
    return fault and f"{quote(folders.store, _LONGEST_QUOTE)}: its folder '.journal' {fault}"


def _first_link(folder: Path, project: Path) -> Path | None:
    """The first symbolic link on the way from the project to a folder, itself included."""
    target = Path(os.path.abspath(folder))  # noqa: PTH100 - `Path.absolute` keeps `..`
    try:
        base = Path(os.path.commonpath([target, project]))
    except ValueError:  # on another drive
        return None
    way = [path for path in (target, *target.parents) if path != base and path.is_relative_to(base)]
    return next((path for path in reversed(way) if os.path.islink(path)), None)  # noqa: PTH114 - as below


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
