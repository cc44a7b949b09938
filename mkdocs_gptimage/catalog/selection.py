"""Resolves names of pictures on the command line: a page, a folder, an id or the beginning of a digest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.text import nearest, quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mkdocs_gptimage.catalog.catalog import Catalog, Picture, Use
    from mkdocs_gptimage.spec.digest import Digest


SHORTEST_DIGEST = 6
"""Hexadecimal digits that a digest may be shortened to."""
_FOLDER, _ID, _PREFIX = "a folder", "an id", "the beginning of a digest"
_DIGEST = re.compile(f"[0-9a-f]{{{SHORTEST_DIGEST},64}}")


def select_digests(names: Iterable[str], catalog: Catalog, docs: str) -> set[Digest]:
    """Return the digests of the pictures that pages, folders, ids and digests name, ancestors included.

    `docs` is the folder of the pages as messages show it; names of pages may leave it out. Raises
    `ConfigurationError` with a line for each name that is unknown or ambiguous.
    """
    chosen: set[Digest] = set()
    problems = []
    for name in names:
        meanings = _meanings(name, catalog, docs)
        if not meanings:
            problems.append(_unknown(name, catalog, "a page, an id or a digest"))
        elif len({frozenset(digests) for digests in meanings.values()}) > 1:
            problems.append(_ambiguous(name, list(meanings)))
        else:
            chosen.update(*meanings.values())
    _require(problems)
    return chosen


def select_pictures(names: Sequence[str], catalog: Catalog) -> list[Picture]:
    """Return the pictures that ids and beginnings of digests name, each once; raise `ConfigurationError` as above."""
    chosen: dict[Digest, Picture] = {}
    problems = []
    for name in names:
        found = _of_id(name, catalog, is_whole=False) or _of_digest(name, catalog)
        if not found:
            problems.append(_unknown(name, catalog, "an id or a digest"))
        elif len(found) > 1:
            digests = " and ".join(picture.spec.digest[: SHORTEST_DIGEST * 2] for picture in found)
            problems.append(f"{quote(name)} may be {digests}; give one of these digests")
        else:
            chosen[found[0].spec.digest] = found[0]
    _require(problems)
    return list(chosen.values())


def complete_digest(name: str, digests: Iterable[Digest]) -> str | None:
    """Return the only digest that begins with `name`; None if there is none, or several."""
    found = [digest for digest in digests if digest.startswith(name)] if _DIGEST.fullmatch(name) else []
    return found[0] if len(found) == 1 else None


def _require(problems: Sequence[str]) -> None:
    if problems:
        raise ConfigurationError("\n".join(problems))


def _meanings(name: str, catalog: Catalog, docs: str) -> dict[str, set[Digest]]:
    """The digests that a name may mean, ancestors included, by kind of name; `cats/` and `cats.md` are pages."""
    by_kind = {_FOLDER: _of_page(name, catalog, docs)}
    if not name.endswith(("/", ".md")):
        by_kind[_ID] = _of_id(name, catalog, is_whole=True)
        by_kind[_PREFIX] = _of_digest(name, catalog)
    return {
        kind: {digest for picture in pictures for digest in picture.lineage}
        for kind, pictures in by_kind.items()
        if pictures
    }


def _ambiguous(name: str, meanings: Sequence[str]) -> str:
    advice = f"write {quote(name + '/')} for the folder, or the digest" if _FOLDER in meanings else "write more digits"
    return f"{quote(name)} is {' and '.join(meanings)}; {advice}"


def _of_page(name: str, catalog: Catalog, docs: str) -> list[Picture]:
    path = name.strip("/").removeprefix("./")
    names = {path, f"{docs}/{path}"}

    def matches(use: Use) -> bool:
        page = use.source.name
        return page in names or any(page.startswith(f"{folder}/") for folder in names)

    return [picture for picture in catalog.pictures.values() if any(map(matches, picture.uses))]


def _of_id(name: str, catalog: Catalog, *, is_whole: bool) -> list[Picture]:
    """The pictures of the blocks with an id; with `is_whole`, their dark twins too."""
    found: dict[Digest, Picture] = {}
    for picture in catalog.pictures.values():
        for use in picture.shown_by:
            if use.presentation.id == name and (is_whole or use.parsed.spec == picture.spec):
                found[picture.spec.digest] = picture
    return list(found.values())


def _of_digest(name: str, catalog: Catalog) -> list[Picture]:
    if not _DIGEST.fullmatch(name):
        return []
    return [picture for digest, picture in catalog.pictures.items() if digest.startswith(name)]


def _unknown(name: str, catalog: Catalog, expected: str) -> str:
    uses = [use for picture in catalog.pictures.values() for use in picture.uses]
    candidates = {use.presentation.id for use in uses if use.presentation.id}
    if "page" in expected:
        candidates |= {use.source.name for use in uses}
    best = nearest(name, candidates) if candidates else None
    advice = f"did you mean '{best}'?" if best else "'gptimage list' prints them"
    return f"{quote(name)}: expected {expected} of a picture that the site asks for; {advice}"
