"""The card that a development server's pages show in place of a block with problems."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from mkdocs_gptimage.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence


def problem_card(problems: Sequence[str]) -> str:
    """Return the HTML of a card with one line for each problem; it may stand wherever an image may."""
    lines = "".join(f'<span class="gpt-image-problem__line">{html.escape(printable(each))}</span>' for each in problems)
    return (
        '<span class="gpt-image-problem" role="note"><strong>No picture: the block has a problem</strong>'
        f"{lines}</span>"
    )
