"""Blocks in HTML that a converter of its own has made, as for notebooks: code with the language of the blocks."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from mkdocs_gptimage.blocks.fence import Block, body_of

if TYPE_CHECKING:
    from collections.abc import Callable

_HIDDEN = r"<!--.*?-->|<(?P<tag>script|style|textarea|template)\b.*?</(?P=tag)\s*>"


def replace_rendered_blocks(content: str, fence: str, render: Callable[[Block], str]) -> str:
    """Replace the code of the language `fence` that readers see by what `render` returns for its block."""
    language = re.escape(html.escape(fence))
    code = rf'<pre[^>]*><code class="(?:[^"]*\s)?language-{language}(?:\s[^"]*)?"[^>]*>(?P<code>.*?)</code></pre>'

    def replace(match: re.Match[str]) -> str:
        if match["code"] is None:
            return match[0]
        # Jupyter's converter repeats a language that it does not know above the code.
        body = body_of(html.unescape(match["code"]).removeprefix(f"{fence}\n"))
        return render(Block(body, f"```{fence}\n{body}```"))

    return re.sub(f"{_HIDDEN}|{code}", replace, content, flags=re.DOTALL | re.IGNORECASE)
