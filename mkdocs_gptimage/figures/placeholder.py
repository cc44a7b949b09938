"""Placeholder for a missing picture: an SVG of the picture's shape that shows its prompt.

SVG is sharp at any width, follows the light or dark colour scheme, and uses the system's fonts for any script.
"""

from __future__ import annotations

import html
import unicodedata
from typing import TYPE_CHECKING

from mkdocs_gptimage.figures.figure import attribute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs_gptimage.spec.model import ImageSpec


_LINE_HEIGHT = 1.45
_ADVANCE = 0.56
"""Average advance of a letter, in ems; an overestimate, so that lines fit."""
_STYLE = """
.paper{fill:#f4f2fa}.edge{stroke:#b9b3d6}.ink{fill:#37314f}.soft{fill:#6d6690}.line{stroke:#8f86bd}
@media (prefers-color-scheme:dark){
.paper{fill:#262433}.edge{stroke:#5b5480}.ink{fill:#e9e6f7}.soft{fill:#a79fce}.line{stroke:#8f86bd}}
text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
""".replace("\n", "")


def placeholder_svg(spec: ImageSpec, note: str) -> str:
    """Return the SVG document of a placeholder; `note` is the reason in a few words."""
    width, height = spec.pixels
    unit = min(width, height * 1.6, 1800) / 30
    margin = unit * 2
    columns = max(8, int((width - 2 * margin) / (unit * _ADVANCE)))
    rows = list(_wrap(_printable(" ".join(spec.prompt.split())), columns))
    room = max(1, int((height - margin * 2 - unit * 5.5) / (unit * _LINE_HEIGHT)))
    if len(rows) > room:
        rows = rows[:room]
        rows[-1] = f"{_truncated(rows[-1], columns - 2)} …"
    top = (height - (len(rows) * _LINE_HEIGHT + 2.5) * unit) / 2 + unit * 2.2
    lines = "".join(
        _text(row, width / 2, top + (index + 1) * unit * _LINE_HEIGHT, unit, "ink") for index, row in enumerate(rows)
    )
    footer = f"{note} · {spec.size or 'like its reference'} · {spec.resolution}"
    footer_size = min(unit * 0.72, (width - 2 * unit) / (_columns(footer) * _ADVANCE))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f'{attribute("aria-label", spec.prompt)} role="img"><style>{_STYLE}</style>'
        f'<rect class="paper" width="{width}" height="{height}"/>'
        f'<rect class="edge" x="{unit / 2:.1f}" y="{unit / 2:.1f}" width="{width - unit:.1f}"'
        f' height="{height - unit:.1f}" rx="{unit:.1f}" fill="none" stroke-width="{unit / 8:.1f}"'
        f' stroke-dasharray="{unit:.1f} {unit * 0.7:.1f}"/>'
        f"{_icon(width / 2, top - unit * 1.1, unit)}{lines}"
        f"{_text(footer, width / 2, height - margin, footer_size, 'soft')}</svg>\n"
    )


def _icon(x: float, y: float, unit: float) -> str:
    """A small framed landscape, centred on (x, y)."""
    return (
        f'<g class="line" fill="none" stroke-width="2" stroke-linejoin="round"'
        f' transform="translate({x:.1f} {y:.1f}) scale({unit / 14:.3f})">'
        '<rect x="-20" y="-15" width="40" height="30" rx="4"/><circle cx="9" cy="-5" r="4"/>'
        '<path d="M-20 10l13-13 10 10 6-6 11 10"/></g>'
    )


def _text(text: str, x: float, y: float, size: float, style: str) -> str:
    return (
        f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" font-size="{size:.1f}" text-anchor="middle">'
        f"{html.escape(_printable(text))}</text>"
    )


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())


def _wrap(text: str, columns: int) -> Iterator[str]:
    """Break a text into rows of at most `columns` columns, at white space where possible."""
    row, used = "", 0
    for word in text.split():
        for piece in _split_word(word, columns):
            advance = _columns(piece)
            if row and used + 1 + advance > columns:
                yield row
                row, used = "", 0
            row, used = (f"{row} {piece}", used + 1 + advance) if row else (piece, advance)
    if row:
        yield row


def _split_word(word: str, columns: int) -> Iterator[str]:
    """Split a word that is longer than a row, as in scripts that write without spaces."""
    piece, used = "", 0
    for character in word:
        advance = _columns(character)
        if used + advance > columns:
            yield piece
            piece, used = "", 0
        piece, used = piece + character, used + advance
    yield piece


def _truncated(row: str, columns: int) -> str:
    """The part of a row that fits into `columns` columns."""
    return next(_split_word(row, columns)).rstrip()


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
