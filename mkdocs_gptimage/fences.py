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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from markdown.preprocessors import Preprocessor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from markdown import Markdown

DEFAULT_FENCE = "gpt-image"

# Superfences registers its preprocessor at 25, and snippets are included at 32.
_JOIN_SUPERFENCES_PRIORITY = 28
_OWN_PREPROCESSOR_PRIORITY = 26
# Markers lie in the stash until raw_html, at 30, has put it back.
_POSTPROCESSOR_PRIORITY = 29

_TAB = 4
_OPENING = re.compile(r"(?P<prefix>[> \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^`\n]*)$")
_LANGUAGE = re.compile(r"(?:\{\s*)?\.?([^\s{}]+)\s*([^}]*?)\s*\}?\s*$")
_HIDDEN = r"<!--.*?(?:-->|\Z)|<(?P<tag>pre|code|script|style|textarea|template)\b[^>]*>.*?(?:</(?P=tag)\s*>|\Z)"
_HIDDEN_PART = re.compile(_HIDDEN, re.DOTALL | re.IGNORECASE)
_NOT_TEXT = ("<!--", "<script", "<style")


@dataclass(frozen=True)
class Block:
    """A fenced block as it stands in the Markdown."""

    body: str
    """The text between the fences, without the indentation of the fence."""
    original: str
    """The whole block, fences included, for the places where it turns out to be code."""
    header: str = ""
    """What stands behind the language; options belong into the body."""


@dataclass(frozen=True)
class Span:
    """A fenced block in a list of lines."""

    start: int
    end: int
    """The line after the closing fence."""
    prefix: str
    """White space and quote marks before the fence, tabs expanded."""
    block: Block


def find(lines: list[str], fence: str = DEFAULT_FENCE) -> Iterator[Span]:
    """Find the closed blocks whose language is `fence`; blocks inside other, longer or unclosed fences are not."""
    index = 0
    while index < len(lines):
        opening = _OPENING.match(lines[index])
        end = _closing(lines, index, opening) if opening else None
        if opening is None or end is None:
            index += 1
            continue
        language = _LANGUAGE.match(opening["info"])
        if language and language[1] == fence:
            prefix = opening["prefix"].expandtabs(_TAB)
            body = "".join(f"{_without_prefix(line, prefix)}\n" for line in lines[index + 1 : end])
            original = "\n".join(_without_prefix(line, prefix) or "" for line in lines[index : end + 1])
            yield Span(index, end + 1, prefix, Block(body, original, language[2]))
        index = end + 1


def _closing(lines: list[str], start: int, opening: re.Match[str]) -> int | None:
    """Return the index of the closing fence, or None when the text leaves the block's container before it."""
    prefix = opening["prefix"].expandtabs(_TAB)
    for index in range(start + 1, len(lines)):
        content = _without_prefix(lines[index], prefix)
        if content is None:
            return None
        if content.strip() == opening["fence"]:
            return index
    return None


def _without_prefix(line: str, prefix: str) -> str | None:
    """Take the container's prefix off a line; None when the line does not belong to the container."""
    line = line.expandtabs(_TAB) if "\t" in line else line
    if line.startswith(prefix):
        return line[len(prefix) :]
    if not line.strip():
        return None if ">" in prefix else ""
    head = line[: len(prefix)]
    if ">" in prefix and not head.strip("> ") and head.count(">") == prefix.count(">"):
        return line[len(prefix) :]
    bare = line.strip()
    return "" if ">" in prefix and bare.replace(" ", "") == prefix.replace(" ", "") else None


def visible(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Find a pattern in HTML, outside comments, `pre`, `code`, `script` and the like."""
    position = 0
    for hidden in _HIDDEN_PART.finditer(text):
        yield from pattern.finditer(text, position, hidden.start())
        position = hidden.end()
    yield from pattern.finditer(text, position)


class GptImageExtension(Extension):
    """Replaces fenced blocks by what `render` returns for them."""

    def __init__(self, render: Callable[[Block, Markdown], str], fence: str = DEFAULT_FENCE) -> None:
        super().__init__()
        self.render = render
        self.fence = fence
        # Unpredictable, so that raw HTML in a page cannot pass for a marker.
        self._token = secrets.token_hex(8)
        self._blocks: dict[str, Block] = {}
        marker = f'<figure data-gptimage-block="({self._token}-[0-9]+)"></figure>'
        visible = rf"(?P<open><p>)?(?P<markers>{marker}(?:\s*{marker})*)(?P<close>\s*</p>)?"
        self._marker = re.compile(rf"(?P<indent>[ ]*){marker}")
        self._hidden_or_visible = re.compile(f"(?P<hidden>{_HIDDEN})|{visible}", re.DOTALL | re.IGNORECASE)

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Python-Markdown's name
        """Register with Python-Markdown; late joining makes the order of extensions irrelevant."""
        join = _JoinSuperfences(md, self)
        md.preprocessors.register(join, "gptimage_superfences", _JOIN_SUPERFENCES_PRIORITY)
        md.preprocessors.register(_FindBlocks(md, self, join), "gptimage_blocks", _OWN_PREPROCESSOR_PRIORITY)
        md.postprocessors.register(_Resolve(md, self), "gptimage_resolve", _POSTPROCESSOR_PRIORITY)

    def mark(self, block: Block) -> str:
        """Remember a block and return the marker that stands for it."""
        key = f"{self._token}-{len(self._blocks)}"
        self._blocks[key] = block
        return f'<figure data-gptimage-block="{key}"></figure>'

    def resolve(self, text: str, md: Markdown) -> str:
        """Render the visible markers of a converted page; give the others their text back."""
        if self._token not in text:
            return text
        return self._hidden_or_visible.sub(lambda match: self._resolve_one(match, md), text)

    def _resolve_one(self, match: re.Match[str], md: Markdown) -> str:
        hidden = match["hidden"]
        if hidden:
            escape = not hidden.lower().startswith(_NOT_TEXT)
            return self._marker.sub(lambda marker: self._original(marker, escape=escape), hidden)
        figures = "\n".join(self.render(self._blocks[marker[2]], md) for marker in self._marker.finditer(match[0]))
        # A figure cannot stand in a paragraph: one that begins or ends with it is closed around it.
        if bool(match["open"]) == bool(match["close"]):
            return figures
        return f"{figures}\n<p>" if match["open"] else f"</p>\n{figures}"

    def _original(self, marker: re.Match[str], *, escape: bool) -> str:
        lines = self._blocks[marker[2]].original.split("\n")
        text = "\n".join(f"{marker['indent']}{line}" if line else line for line in lines)
        return html.escape(text, quote=False) if escape else text


class _JoinSuperfences(Preprocessor):
    """Adds the fence to superfences, once, when a conversion starts; changes no text."""

    def __init__(self, md: Markdown, extension: GptImageExtension) -> None:
        super().__init__(md)
        self._extension = extension
        self.joined = False

    def run(self, lines: list[str]) -> list[str]:
        if not self.joined and "fenced_code_block" in self.md.preprocessors:
            superfences: Any = getattr(self.md.preprocessors["fenced_code_block"], "extension", None)
            if hasattr(superfences, "extend_super_fences"):
                superfences.extend_super_fences(self._extension.fence, self._format, _keep_header, None)
                self.joined = True
        return lines

    def _format(self, *, src: str, language: str, options: Any, classes: Any, id_value: str, **_others: Any) -> str:
        source = src.rstrip("\n")
        longest = max((len(run) for run in re.findall(r"^\s*(`{3,})", source, re.MULTILINE)), default=2)
        fence = "`" * (longest + 1)
        header = " ".join([*options, *(f".{name}" for name in classes), *([f"#{id_value}"] if id_value else [])])
        return self._extension.mark(Block(f"{source}\n", f"{fence}{language}\n{source}\n{fence}", header))


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
        if self._join.joined or not any(fence in line for line in lines):
            return lines
        out: list[str] = []
        position = 0
        for span in find(lines, fence):
            placeholder = self.md.htmlStash.store(self._extension.mark(span.block))
            blank = span.prefix.rstrip()
            out += lines[position : span.start]
            # A paragraph of its own; a second blank line would end a footnote.
            out += [blank] if out and out[-1].strip() != blank else []
            out += [f"{span.prefix}{placeholder}", blank]
            position = span.end
        return out + lines[position:]


class _Resolve(Postprocessor):
    def __init__(self, md: Markdown, extension: GptImageExtension) -> None:
        super().__init__(md)
        self._extension = extension

    def run(self, text: str) -> str:
        assert self.md is not None
        return self._extension.resolve(text, self.md)
