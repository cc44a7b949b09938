"""The site's pictures and what else its store holds, one item each, for scripts."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .planning import Row
    from .survey import Survey

UNNEEDED = "unneeded"
"""Not stored, and nothing that is missing is drawn from it."""


@dataclass(frozen=True)
class Item:
    digest: str
    state: str
    file: str | None
    """Relative to the folder of mkdocs.yml; None where nothing is stored."""
    pages: tuple[str, ...]
    """`docs/cats.md:14`; the page alone for included and generated text."""
    candidate_of: str | None = None
    """The digest of the picture that it may replace."""


def items(survey: Survey, project: Path) -> list[Item]:
    """Return an item for each picture that a page asks for or one is drawn from, then for each orphan."""
    needed = {row.digest for row in survey.plan.rows}
    found = [_item(row, project, is_needed=row.digest in needed) for row in survey.plan.candidates]
    return found + [
        Item(orphan.digest, survey.state_of_orphan(orphan), shown(orphan.entry.path, project), (), orphan.candidate_of)
        for orphan in survey.orphans
    ]


def shown(path: Path, project: Path) -> str:
    """A file of the store as messages show it, relative to the project."""
    return os.path.relpath(path, project).replace(os.sep, "/")


def as_text(listed: Sequence[Item]) -> str:
    """Return a line per item: digest, state, file and pages, between tabs."""
    return "\n".join(
        "\t".join((item.digest, item.state, item.file or "-", ",".join(item.pages) or "-")) for item in listed
    )


def as_json(listed: Sequence[Item], problems: Sequence[str]) -> str:
    told = {"pictures": [asdict(item) for item in listed], "problems": list(problems)}
    return json.dumps(told, indent=2, ensure_ascii=False)


def _item(row: Row, project: Path, *, is_needed: bool) -> Item:
    uses = row.picture.uses
    pages = (f"{use.source.name}:{use.line}" if use.line is not None else use.source.name for use in uses)
    state = row.state.value if is_needed or row.entry else UNNEEDED
    file = shown(row.entry.path, project) if row.entry else None
    return Item(row.digest, state, file, tuple(dict.fromkeys(pages)))
