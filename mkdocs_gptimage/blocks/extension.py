"""Python-Markdown extension: a fenced block becomes whatever `render` makes of it, where a reader will see it.

With `pymdownx.superfences`, the fence joins it as one more custom fence. Without it, a preprocessor finds the blocks;
it understands what superfences does, indentation and quotes included. Either way a block is first replaced by a
marker, and only markers that end up visible are rendered: a block inside a comment, `pre`, `code` or `script` gets
its text back.
"""

from __future__ import annotations

import html
import re
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor
from markdown.util import HTML_PLACEHOLDER_RE, STX

from mkdocs_gptimage.blocks.fence import DEFAULT_FENCE, TAB, Block, blank_between, body_of, find_blocks, without_prefix
from mkdocs_gptimage.blocks.visibility import visible_pieces

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

    from markdown import Markdown


# Superfences registers its preprocessor at 25, and snippets are included at 32.
_JOIN_SUPERFENCES_PRIORITY = 28
_OWN_PREPROCESSOR_PRIORITY = 26
_SET_APART_PRIORITY = 24
# Markers lie in the stash until raw_html, at 30, has put it back.
_POSTPROCESSOR_PRIORITY = 29
_AT_THE_END = -1
_BY_ID = "gpt-image:"
_RESOLVE = "gptimage_resolve"
_PARAGRAPH = "<p>"
_NOT_TEXT = ("<!--", "<script", "<style")
_PLACEHOLDER_LINE = re.compile(rf"(?P<prefix>[> \t]*)(?P<placeholder>{HTML_PLACEHOLDER_RE.pattern})[ \t]*$")


class GptImageExtension(Extension):
    """Replaces fenced blocks by what `render` returns for them."""

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
        # Unpredictable, so that raw HTML in a page cannot pass for a marker.
        self._token = secrets.token_hex(8)
        self._blocks: dict[str, Block] = {}
        marker = f'<figure data-gptimage-block="({self._token}-[0-9]+)"></figure>'
        self._marker = re.compile(marker)
        self._run = re.compile(rf"{marker}(?:\s*{marker})*(?P<close>\s*</p>)?")
        self._hidden_marker = re.compile(
            rf"(?P<before>(?<=\n)[ ]*\n)?(?P<indent>[ ]*){marker.replace('(', '(?P<key>')}(?P<after>\n[ ]*(?=\n))?"
        )

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Python-Markdown's name
        """Register with Python-Markdown; late joining makes the order of extensions irrelevant."""
        join = _JoinSuperfences(md, self)
        md.preprocessors.register(join, "gptimage_superfences", _JOIN_SUPERFENCES_PRIORITY)
        md.preprocessors.register(_FindBlocks(md, self, join), "gptimage_blocks", _OWN_PREPROCESSOR_PRIORITY)
        if self.show_by_id is not None:
            md.treeprocessors.register(_ShowById(md, self.show_by_id), "gptimage_by_id", _AT_THE_END)
        md.preprocessors.register(_SetApart(md, self, join), "gptimage_set_apart", _SET_APART_PRIORITY)

    def mark(self, block: Block, md: Markdown) -> str:
        """Remember a block and return the marker that stands for it until the end of the conversion."""
        # Only now: Markdown runs its postprocessors for every heading, and most pages have no block.
        if _RESOLVE not in md.postprocessors:
            md.postprocessors.register(_Resolve(md, self), _RESOLVE, _POSTPROCESSOR_PRIORITY)
        key = f"{self._token}-{len(self._blocks)}"
        self._blocks[key] = block
        return f'<figure data-gptimage-block="{key}"></figure>'

    def set_apart(self, marked: str, original: str | None, blanks: tuple[bool, bool]) -> None:
        """Note the blank lines around a marked block, and how it was written, where that is known."""
        key = self._key(marked)
        if key:
            block = self._blocks[key]
            self._blocks[key] = replace(block, original=original or block.original, set_apart=blanks)

    def is_marked(self, text: Any) -> bool:
        """Whether a piece of stashed HTML is one of our markers."""
        return isinstance(text, str) and self._key(text) is not None

    def _key(self, marked: str) -> str | None:
        found = self._marker.fullmatch(marked)
        return found[1] if found else None

    def resolve(self, text: str, md: Markdown) -> str:
        """Render the visible markers of a converted page; give the others their text back."""
        if self._token not in text:
            return text
        return "".join(
            self._show(piece, md) if is_visible else self._give_back(piece)
            for piece, is_visible in visible_pieces(text, self._token)
        )

    def _show(self, text: str, md: Markdown) -> str:
        if self._token not in text:
            return text
        shown: list[str] = []
        position = 0
        for run in self._run.finditer(text):
            opens = text.endswith(_PARAGRAPH, position, run.start())
            shown += [text[position : run.start() - len(_PARAGRAPH) * opens], self._figures(run, md, opens=opens)]
            position = run.end()
        return "".join([*shown, text[position:]])

    def _give_back(self, hidden: str) -> str:
        if self._token not in hidden:
            return hidden
        escape = not hidden.lower().startswith(_NOT_TEXT)
        return self._hidden_marker.sub(lambda marker: self._original(marker, escape=escape), hidden)

    def _figures(self, run: re.Match[str], md: Markdown, *, opens: bool) -> str:
        figures = "\n".join(self.render(self._blocks[marker[1]], md) for marker in self._marker.finditer(run[0]))
        # A figure cannot stand in a paragraph: one that begins or ends with it is closed around it.
        if opens == bool(run["close"]):
            return figures
        return f"{figures}\n{_PARAGRAPH}" if opens else f"</p>\n{figures}"

    def _original(self, marker: re.Match[str], *, escape: bool) -> str:
        block = self._blocks[marker["key"]]
        text = "\n".join(f"{marker['indent']}{line}" if line else line for line in block.original.split("\n"))
        before, after = (
            "" if added else found or ""
            for added, found in zip(block.set_apart, marker.group("before", "after"), strict=True)
        )
        return f"{before}{html.escape(text, quote=False) if escape else text}{after}"


class _ShowById(Treeprocessor):
    """Offers each image that names a block's id to whoever knows the pictures."""

    def __init__(self, md: Markdown, show: Callable[[dict[str, str]], None]) -> None:
        super().__init__(md)
        self._show = show

    def run(self, root: Element) -> None:
        for image in root.iter("img"):
            if image.get("src", "").startswith(_BY_ID):
                self._show(image.attrib)


class _JoinSuperfences(Preprocessor):
    """Adds the fence to superfences, once, when a conversion starts; changes no text."""

    def __init__(self, md: Markdown, extension: GptImageExtension) -> None:
        super().__init__(md)
        self._extension = extension
        self.stash: Any = None
        """What superfences keeps of the text of its fences; None without superfences."""

    @property
    def joined(self) -> bool:
        return self.stash is not None

    def run(self, lines: list[str]) -> list[str]:
        if not self.joined and "fenced_code_block" in self.md.preprocessors:
            superfences: Any = getattr(self.md.preprocessors["fenced_code_block"], "extension", None)
            if hasattr(superfences, "extend_super_fences"):
                superfences.extend_super_fences(self._extension.fence, self._format, _keep_header, None)
                self.stash = superfences.stash
        return lines

    def _format(self, *, src: str, language: str, options: Any, classes: Any, id_value: str, **_others: Any) -> str:
        source = src.rstrip("\n")
        longest = max((len(run) for run in re.findall(r"^\s*(`{3,})", source, re.MULTILINE)), default=2)
        fence = "`" * (longest + 1)
        given = (f'{key}="{value}"' for key, value in options.items())
        header = " ".join([*given, *(f".{name}" for name in classes), *([f"#{id_value}"] if id_value else [])])
        return self._extension.mark(Block(body_of(source), f"{fence}{language}\n{source}\n{fence}", header), self.md)


def _keep_header(_language: str, inputs: Any, options: Any, _attributes: Any, _md: Markdown) -> bool:
    options.update(inputs)
    return True


class _FindBlocks(Preprocessor):
    """Finds the blocks where superfences is not there to do it."""

    def __init__(self, md: Markdown, extension: GptImageExtension, join: _JoinSuperfences) -> None:
        super().__init__(md)
        self._extension = extension
        self._join = join

    def run(self, lines: list[str]) -> list[str]:
        fence = self._extension.fence
        if self._join.joined or fence not in "\n".join(lines):
            return lines
        out: list[str] = []
        position = 0
        for span in find_blocks(lines, fence):
            out += [
                *lines[position : span.start],
                f"{span.prefix}{self.md.htmlStash.store(self._extension.mark(span.block, self.md))}",
            ]
            position = span.end
        return out + lines[position:]


class _SetApart(Preprocessor):
    """Makes every block a paragraph of its own, as a figure cannot stand in one.

    The blank lines vanish again where the block turns out to be code. Never a second one: it would end a footnote.
    """

    def __init__(self, md: Markdown, extension: GptImageExtension, join: _JoinSuperfences) -> None:
        super().__init__(md)
        self._extension = extension
        self._join = join

    def run(self, lines: list[str]) -> list[str]:
        if not any(map(self._extension.is_marked, self.md.htmlStash.rawHtmlBlocks)):
            return lines
        out: list[str] = []
        for index, line in enumerate(lines):
            found = _PLACEHOLDER_LINE.match(line) if STX in line else None
            marked = self.md.htmlStash.rawHtmlBlocks[int(found[3])] if found else None
            if found is None or not self._extension.is_marked(marked):
                out.append(line)
                continue
            before = blank_between(found["prefix"], out[-1] if out else None)
            after = blank_between(found["prefix"], lines[index + 1] if index + 1 < len(lines) else None)
            if before is not None or after is not None:
                blanks = (before is not None, after is not None)
                self._extension.set_apart(str(marked), self._take_original(found), blanks)
            out += [blank_or_line for blank_or_line in (before, line, after) if blank_or_line is not None]
        return out

    def _take_original(self, found: re.Match[str]) -> str | None:
        """Return the text of a fence and make superfences forget it: it would give it back between our blank lines."""
        stash, key = self._join.stash, found["placeholder"][1:-1]
        text, _ = stash.get(key, (None, None)) if stash is not None else (None, None)
        if text is None:
            return None
        stash.remove(key)
        prefix = found["prefix"].expandtabs(TAB)
        return "\n".join(without_prefix(line, prefix) or "" for line in text.split("\n"))


class _Resolve(Postprocessor):
    def __init__(self, md: Markdown, extension: GptImageExtension) -> None:
        super().__init__(md)
        self._extension = extension

    def run(self, text: str) -> str:
        assert self.md is not None
        return self._extension.resolve(text, self.md)
