"""Resolves names of pictures on the command line: a page, a line of it, a folder, an id, the beginning of a digest."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.text import nearest, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mkdocs_gptimage.catalog.catalog import Catalog, Picture, Use
    from mkdocs_gptimage.spec.digest import Digest


SHORTEST_DIGEST = 6
"""Hexadecimal digits that a digest may be shortened to."""
_FOLDER, _ID, _PREFIX = "a folder", "an id", "the beginning of a digest"
_LINE = re.compile(r"(?P<page>.+?):(?P<line>[0-9]{1,9})(?::[0-9]+)?")
_DIGEST = re.compile(f"[0-9a-f]{{{SHORTEST_DIGEST},64}}")


def select_digests(names: Iterable[str], catalog: Catalog, docs: str) -> set[Digest]:
    """Return the digests of the pictures that pages, lines, folders, ids and digests name, ancestors included.

    `docs` is the folder of the pages as messages show it; names of pages may leave it out. Raises
    `ConfigurationError` with a line for each name that is unknown or ambiguous.
    """
    return {digest for picture in _select(names, catalog, docs, is_whole=True) for digest in picture.lineage}


def select_pictures(names: Iterable[str], catalog: Catalog, docs: str) -> list[Picture]:
    """Return the pictures that pages, lines, folders, ids and digests name, each once.

    Of a picture and its dark twin, which is drawn from it, only a digest names the twin. Raises as `select_digests`.
    """
    return _select(names, catalog, docs, is_whole=False)


def _select(names: Iterable[str], catalog: Catalog, docs: str, *, is_whole: bool) -> list[Picture]:
    chosen: dict[Digest, Picture] = {}
    problems = []
    for name in names:
        meanings = _meanings(name, catalog, docs, is_whole=is_whole)
        digests = {kind: [picture.spec.digest for picture in pictures] for kind, pictures in meanings.items()}
        if not meanings:
            problems.append(_unknown(name, catalog, docs))
        elif len({frozenset(each) for each in digests.values()}) > 1:
            problems.append(_ambiguous(name, list(meanings)))
        elif not is_whole and len(several := digests.get(_ID) or digests.get(_PREFIX) or []) > 1:
            shown = " and ".join(digest.short for digest in several)
            problems.append(f"{quote(name)} may be {shown}; give one of these digests")
        else:
            chosen |= {picture.spec.digest: picture for pictures in meanings.values() for picture in pictures}
    if problems:
        raise ConfigurationError("\n".join(problems))
    return list(chosen.values())


def complete_digest(name: str, digests: Iterable[Digest]) -> str | None:
    """Return the only digest that begins with `name`; None if there is none, or several."""
    found = [digest for digest in digests if digest.startswith(name)] if _DIGEST.fullmatch(name) else []
    return found[0] if len(found) == 1 else None


def _meanings(name: str, catalog: Catalog, docs: str, *, is_whole: bool) -> dict[str, list[Picture]]:
    """The pictures that a name may mean, by kind of name; `cats/`, `cats.md` and `cats.md:14` are pages.

    With `is_whole`, those of a block include its dark twin.
    """
    by_kind = {_FOLDER: _of_page(name, catalog, docs, is_whole=is_whole)}
    if not name.endswith(("/", ".md")):
        by_kind[_ID] = _of_id(name, catalog, is_whole=is_whole)
        by_kind[_PREFIX] = _of_digest(name, catalog)
    return {kind: pictures for kind, pictures in by_kind.items() if pictures}


def _ambiguous(name: str, meanings: Sequence[str]) -> str:
    advice = f"write {quote(name + '/')} for the folder, or the digest" if _FOLDER in meanings else "write more digits"
    return f"{quote(name)} is {' and '.join(meanings)}; {advice}"


def _of_page(name: str, catalog: Catalog, docs: str, *, is_whole: bool) -> list[Picture]:
    """The pictures of a page, of a folder, or of the block around a line of a page."""
    path, line = _split_line(name)
    names = _names_of_page(path, docs)

    def matches(use: Use) -> bool:
        page = use.source.name
        is_there = page in names or any(page.startswith(f"{folder}/") for folder in names)
        return is_there and (line is None or line in use.lines)

    return _shown(matches, catalog, is_whole=is_whole)


def _split_line(name: str) -> tuple[str, int | None]:
    """Split `docs/cats.md:14`, also with the column that editors add, into its page and its line."""
    found = _LINE.fullmatch(name)
    return (found["page"], int(found["line"])) if found else (name, None)


def _names_of_page(path: str, docs: str) -> set[str]:
    path = posixpath.normpath(path.replace("\\", "/")).strip("/")
    return {path, f"{docs}/{path}"}


def _of_id(name: str, catalog: Catalog, *, is_whole: bool) -> list[Picture]:
    return _shown(lambda use: use.presentation.id == name, catalog, is_whole=is_whole)


def _shown(matches: Callable[[Use], bool], catalog: Catalog, *, is_whole: bool) -> list[Picture]:
    """The pictures of the blocks that match; with `is_whole`, their dark twins and what they need as well."""
    return [
        picture
        for picture in catalog.pictures.values()
        if any(
            matches(use) and (is_whole or use.parsed.spec == picture.spec)
            for use in (picture.uses if is_whole else picture.shown_by)
        )
    ]


def _of_digest(name: str, catalog: Catalog) -> list[Picture]:
    if not _DIGEST.fullmatch(name):
        return []
    return [picture for digest, picture in catalog.pictures.items() if digest.startswith(name)]


def _unknown(name: str, catalog: Catalog, docs: str) -> str:
    expected = "a page, a line of a block, an id or a digest of a picture that the site asks for"
    uses = [use for picture in catalog.pictures.values() for use in picture.uses]
    path, line = _split_line(name)
    if line is not None:
        there = [use for use in uses if use.lines and use.source.name in _names_of_page(path, docs)]
        if there:
            best = min(there, key=lambda use: abs((use.line or 0) - line)).where()
            return f"{quote(name)}: expected {expected}; the nearest block is at {best}"
    candidates = {use.presentation.id for use in uses if use.presentation.id} | {use.source.name for use in uses}
    near = nearest(path, candidates) if candidates else None
    advice = f"did you mean '{near}'?" if near else "'gptimage list' prints them"
    return f"{quote(name)}: expected {expected}; {advice}"
