"""Prints a plan as a table in a terminal: page by page, in colour, as wide as the window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mkdocs_gptimage.plan.messages import explain
from mkdocs_gptimage.plan.states import CHANGED, State, colour_of
from mkdocs_gptimage.report.as_text import counts_line, leftover_lines, prompt_of, status_notes
from mkdocs_gptimage.spec.digest import SHORT_LENGTH
from mkdocs_gptimage.text import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mkdocs_gptimage.plan.orphans import Orphan
    from mkdocs_gptimage.plan.plan import Row
    from mkdocs_gptimage.plan.status import SiteStatus
    from mkdocs_gptimage.report.as_text import StoreCondition


_WIDE = 100
"""Minimum columns for 12-digit digests and for changed fields beside the state."""
_NARROW_DIGEST = 8
_NO_PAGE = "stored, and on no page"


@dataclass(frozen=True)
class _Line:
    """The cells of one picture, and a note below them."""

    digest: str
    state: str
    place: str
    size: str
    price: str
    prompt: str
    below: str = ""


def print_table(status: SiteStatus, *, condition: StoreCondition | None = None, verbose: bool = False) -> None:
    """Print the status of a site, and the result of a check of its store; with `verbose`, whole prompts."""
    console = Console(highlight=False)
    is_wide = console.width >= _WIDE
    groups: dict[str, list[_Line]] = {}
    for row in status.plan.rows:
        groups.setdefault(row.picture.uses[0].source.name, []).append(_line(status, row, is_wide=is_wide))
    if status.orphans:
        groups[_NO_PAGE] = [_orphan_line(status, orphan, is_wide=is_wide) for orphan in status.orphans]
    widths = _widths([line for lines in groups.values() for line in lines])
    for page, lines in groups.items():
        console.print(_text(page, style="bold" if page != _NO_PAGE else "bold dim"), soft_wrap=True)
        for line in lines:
            console.print(_drawn(line, widths, verbose=verbose))
            if verbose:
                console.print(Padding(_text(line.prompt, keep="\n"), (0, 0, 0, 4)))
            if line.below:
                console.print(Padding(_text(line.below, style="dim"), (0, 0, 0, 4)))
    for leftover in leftover_lines(condition.leftovers) if condition else ():
        console.print(_text(leftover), soft_wrap=True)
    console.print(_text(counts_line(status), style="bold"))
    for note in status_notes(status):
        console.print(_text(note, style="dim"))


def _text(text: str, style: str = "", *, keep: str = "") -> Text:
    return Text(escaped(text, keep=keep), style=style)


def _line(status: SiteStatus, row: Row, *, is_wide: bool) -> _Line:
    spec, uses = row.picture.spec, row.picture.uses
    fields = ", ".join(status.changed(row)) if row.state is State.MISSING else ""
    state = status.state(row) if is_wide or not fields else CHANGED
    below = explain(row) if row.state.traits.needs_decision else ""
    if fields and not is_wide:
        below = f"{CHANGED}: {fields}"
    line = uses[0].line
    role = "" if line is None else row.picture.role_in_first_use
    more = f" +{len(uses) - 1}" if len(uses) > 1 else ""
    return _Line(
        row.digest[: SHORT_LENGTH if is_wide else _NARROW_DIGEST],
        state,
        f"{role} {'' if line is None else line}{more}".strip(),
        f"{spec.size or 'reference'} {spec.resolution}",
        "" if row.price is None else f"${row.price:.4g}",
        spec.prompt,
        below,
    )


def _orphan_line(status: SiteStatus, orphan: Orphan, *, is_wide: bool) -> _Line:
    request = orphan.request
    return _Line(
        orphan.digest[: SHORT_LENGTH if is_wide else _NARROW_DIGEST],
        status.state_of_orphan(orphan),
        "",
        f"{request.get('size', 'reference')} {request.get('resolution', '')}",
        "",
        prompt_of(orphan),
    )


def _widths(lines: Iterable[_Line]) -> list[int]:
    """The widths of all columns except the prompt's, the same for all pages."""
    cells = [(each.digest, each.state, each.place, each.size, each.price) for each in lines]
    return [max(map(len, column)) for column in zip(*cells, strict=True)] if cells else []


def _drawn(line: _Line, widths: list[int], *, verbose: bool) -> Padding:
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    for width, justify in zip(widths, ("left", "left", "right", "left", "right"), strict=True):
        table.add_column(width=width, no_wrap=True, justify=justify)  # type: ignore[arg-type] # the literals it wants
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    prompt = "" if verbose else " ".join(line.prompt.split())
    table.add_row(
        _text(line.digest, style="dim"),
        _text(line.state, style=colour_of(line.state)),
        _text(line.place, style="dim"),
        _text(line.size),
        _text(line.price),
        _text(prompt),
    )
    return Padding(table, (0, 0, 0, 2))
