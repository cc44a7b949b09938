"""Python-Markdown extension that replaces visible fenced blocks by what `render` returns for them.

With `pymdownx.superfences`, the fence is registered as one of its custom fences. Without it, a preprocessor finds the
blocks by the same rules, indentation and quotes included. Either way a block is first replaced by a marker, and only
markers that a reader sees are rendered: inside a comment, `pre`, `code` or `script` the text of the block is restored.
"""

from __future__ import annotations

import html
import re
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from markdown.treeprocessors import Treeprocessor

from mkdocs_gptimage.blocks.by_id import id_of
from mkdocs_gptimage.blocks.fence import DEFAULT_FENCE
from mkdocs_gptimage.blocks.preprocessors import FindBlocks, JoinSuperfences, SeparateBlocks
from mkdocs_gptimage.blocks.visibility import visible_pieces

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

    from markdown import Markdown

    from mkdocs_gptimage.blocks.fence import Block


# Superfences registers its preprocessor at 25, and snippets are included at 32.
_JOIN_SUPERFENCES_PRIORITY = 28
_OWN_PREPROCESSOR_PRIORITY = 26
_SEPARATE_PRIORITY = 24
# The postprocessor raw_html, at 30, restores the stash, which holds the markers.
_POSTPROCESSOR_PRIORITY = 29
_LAST_PRIORITY = -1
_RESOLVE = "gptimage_resolve"
_PARAGRAPH = "<p>"
_UNESCAPED = ("<!--", "<script", "<style")


class GptImageExtension(Extension):
    """Replaces fenced blocks by what `render` returns; `show_by_id` completes images whose `src` is an id."""

    def __init__(
        self,
        render: Callable[[Block, Markdown], str],
        fence: str = DEFAULT_FENCE,
        show_by_id: Callable[[dict[str, str]], None] | None = None,
    ) -> None:
        super().__init__()
        self.render = render
        self.show_by_id = show_by_id
        self.fence = fence
        # Unpredictable, so that raw HTML in a page cannot forge a marker.
        self._token = secrets.token_hex(8)
        self._blocks: dict[str, Block] = {}
        self.conversions = 0
        """The number of texts that were converted, with and without blocks."""
        marker = f'<figure data-gptimage-block="({self._token}-[0-9]+)"></figure>'
        self._marker = re.compile(marker)
        self._run = re.compile(rf"{marker}(?:\s*{marker})*(?P<close>\s*</p>)?")
        self._hidden_marker = re.compile(
            rf"(?P<before>(?<=\n)[ ]*\n)?(?P<indent>[ ]*){marker.replace('(', '(?P<key>')}(?P<after>\n[ ]*(?=\n))?"
        )

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Python-Markdown's name
        """Register with Python-Markdown; superfences is looked up later, so the order of extensions does not matter."""
        join = JoinSuperfences(md, self)
        md.preprocessors.register(join, "gptimage_superfences", _JOIN_SUPERFENCES_PRIORITY)
        md.preprocessors.register(FindBlocks(md, self, join), "gptimage_blocks", _OWN_PREPROCESSOR_PRIORITY)
        if self.show_by_id is not None:
            md.treeprocessors.register(_ImagesById(md, self.show_by_id), "gptimage_by_id", _LAST_PRIORITY)
        md.preprocessors.register(SeparateBlocks(md, self, join), "gptimage_separate", _SEPARATE_PRIORITY)

    def mark(self, block: Block, md: Markdown) -> str:
        """Store a block and return the marker that replaces it until the end of the conversion."""
        # Registered late: Markdown runs its postprocessors for every heading, and most pages have no block.
        if _RESOLVE not in md.postprocessors:
            md.postprocessors.register(_Resolve(md, self), _RESOLVE, _POSTPROCESSOR_PRIORITY)
        key = f"{self._token}-{len(self._blocks)}"
        self._blocks[key] = block
        return f'<figure data-gptimage-block="{key}"></figure>'

    def note_separation(self, marked: str, original: str | None, blanks: tuple[bool, bool]) -> None:
        """Store which blank lines were inserted around a marked block, and its original text if known."""
        key = self._key(marked)
        if key:
            block = self._blocks[key]
            self._blocks[key] = replace(block, original=original or block.original, blank_lines_added=blanks)

    def is_marked(self, text: Any) -> bool:
        """Whether a piece of stashed HTML is one of our markers."""
        return isinstance(text, str) and self._key(text) is not None

    def _key(self, marked: str) -> str | None:
        found = self._marker.fullmatch(marked)
        return found[1] if found else None

    def resolve(self, text: str, md: Markdown) -> str:
        """Render the visible markers of a converted page, and restore the text of the others."""
        if self._token not in text:
            return text
        return "".join(
            self._render_visible(piece, md) if is_visible else self._restore(piece)
            for piece, is_visible in visible_pieces(text, self._token)
        )

    def _render_visible(self, text: str, md: Markdown) -> str:
        if self._token not in text:
            return text
        parts: list[str] = []
        position = 0
        for run in self._run.finditer(text):
            opens = text.endswith(_PARAGRAPH, position, run.start())
            parts += [text[position : run.start() - len(_PARAGRAPH) * opens], self._figures(run, md, opens=opens)]
            position = run.end()
        return "".join([*parts, text[position:]])

    def _restore(self, hidden: str) -> str:
        if self._token not in hidden:
            return hidden
        escape = not hidden.lower().startswith(_UNESCAPED)
        return self._hidden_marker.sub(lambda marker: self._original(marker, escape=escape), hidden)

    def _figures(self, run: re.Match[str], md: Markdown, *, opens: bool) -> str:
        figures = "\n".join(self.render(self._blocks[marker[1]], md) for marker in self._marker.finditer(run[0]))
        # A figure must not be inside a paragraph: close the one that begins or ends with it.
        if opens == bool(run["close"]):
            return figures
        return f"{figures}\n{_PARAGRAPH}" if opens else f"</p>\n{figures}"

    def _original(self, marker: re.Match[str], *, escape: bool) -> str:
        block = self._blocks[marker["key"]]
        text = "\n".join(f"{marker['indent']}{line}" if line else line for line in block.original.split("\n"))
        before, after = (
            "" if added else found or ""
            for added, found in zip(block.blank_lines_added, marker.group("before", "after"), strict=True)
        )
        return f"{before}{html.escape(text, quote=False) if escape else text}{after}"


class _ImagesById(Treeprocessor):
    """Passes the attributes of each image whose `src` is an id to `show_by_id`."""

    def __init__(self, md: Markdown, show: Callable[[dict[str, str]], None]) -> None:
        super().__init__(md)
        self._show = show

    def run(self, root: Element) -> None:
        for image in root.iter("img"):
            if id_of(image.get("src", "")) is not None:
                self._show(image.attrib)


class _Resolve(Postprocessor):
    def __init__(self, md: Markdown, extension: GptImageExtension) -> None:
        super().__init__(md)
        self._extension = extension

    def run(self, text: str) -> str:
        assert self.md is not None
        return self._extension.resolve(text, self.md)
