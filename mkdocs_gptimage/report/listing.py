"""The list of a site's pictures and orphans, one item each, for scripts."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.plan.states import DRAFT, UNNEEDED
from mkdocs_gptimage.text import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from mkdocs_gptimage.catalog.catalog import Picture
    from mkdocs_gptimage.plan.plan import Row
    from mkdocs_gptimage.plan.status import SiteStatus
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.store.entry import Entry
    from mkdocs_gptimage.text import Problem


@dataclass(frozen=True)
class ListItem:
    digest: Digest
    state: str
    file: str | None
    """Relative to the folder of mkdocs.yml; None where nothing is stored."""
    pages: tuple[str, ...]
    """`docs/cats.md:14`; the page alone for included and generated text."""
    candidate_of: str | None = None
    """The digest of the picture that it may replace."""


def list_items(
    status: SiteStatus, project: Path, drafts: Iterable[tuple[Picture, Entry | None]] = ()
) -> list[ListItem]:
    """Return an item per picture that pages use or that is a reference, then those of drafts, then orphans."""
    needed = {row.digest for row in status.plan.rows}
    found = [_item(row, project, is_needed=row.digest in needed) for row in status.plan.all_rows]
    found += [_of_draft(picture, entry, project) for picture, entry in drafts]
    return found + [
        ListItem(
            orphan.digest,
            status.state_of_orphan(orphan),
            shown_path(orphan.entry.path, project),
            (),
            orphan.candidate_of,
        )
        for orphan in status.orphans
    ]


def shown_path(path: Path, project: Path) -> str:
    """A file of the store as messages show it, relative to the project."""
    return os.path.relpath(path, project).replace(os.sep, "/")


def items_text(listed: Sequence[ListItem]) -> str:
    """Return a line per item: digest, state, file and pages, between tabs."""
    return "\n".join(
        "\t".join(
            escaped(field, keep="")
            for field in (item.digest, item.state, item.file or "-", ",".join(item.pages) or "-")
        )
        for item in listed
    )


def items_json(listed: Sequence[ListItem], problems: Sequence[Problem], warnings: Sequence[str] = ()) -> str:
    """Return the items, the problems of blocks, and the warnings of MkDocs while pages were read, as JSON."""
    payload = {
        "pictures": [asdict(item) for item in listed],
        "problems": [str(problem) for problem in problems],
        "warnings": list(warnings),
    }
    return json.dumps(payload, indent=2, ensure_ascii=False)


def _item(row: Row, project: Path, *, is_needed: bool) -> ListItem:
    state = row.state.value if is_needed or row.entry else UNNEEDED
    file = shown_path(row.entry.path, project) if row.entry else None
    return ListItem(row.digest, state, file, _pages(row.picture))


def _of_draft(picture: Picture, entry: Entry | None, project: Path) -> ListItem:
    return ListItem(picture.spec.digest, DRAFT, shown_path(entry.path, project) if entry else None, _pages(picture))


def _pages(picture: Picture) -> tuple[str, ...]:
    uses = picture.uses
    pages = (f"{use.source.name}:{use.line}" if use.line is not None else use.source.name for use in uses)
    return tuple(dict.fromkeys(pages))
