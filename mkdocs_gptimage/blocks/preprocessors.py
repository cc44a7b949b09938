"""Preprocessors that replace fenced blocks in Markdown by markers."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from markdown.preprocessors import Preprocessor
from markdown.util import HTML_PLACEHOLDER_RE, STX

from mkdocs_gptimage.blocks.fence import TAB, Block, blank_between, body_of, find_blocks, without_prefix

if TYPE_CHECKING:
    from collections.abc import Callable

    from markdown import Markdown

    from mkdocs_gptimage.blocks.extension import GptImageExtension


_PLACEHOLDER_LINE = re.compile(rf"(?P<prefix>[> \t]*)(?P<placeholder>{HTML_PLACEHOLDER_RE.pattern})[ \t]*$")


class JoinSuperfences(Preprocessor):
    """Registers the fence with superfences when the first conversion starts; changes no text."""

    def __init__(self, md: Markdown, extension: GptImageExtension) -> None:
        super().__init__(md)
        self._extension = extension
        self.stash: Any = None
        """Where superfences keeps the text of its fences; None without superfences."""

    @property
    def joined(self) -> bool:
        return self.stash is not None

    def run(self, lines: list[str]) -> list[str]:
        self._extension.conversions += 1
        if not self.joined and "fenced_code_block" in self.md.preprocessors:
            superfences: Any = getattr(self.md.preprocessors["fenced_code_block"], "extension", None)
            if hasattr(superfences, "extend_super_fences"):
                _add_fence(superfences, self._extension.fence, self._format)
                self.stash = superfences.stash
        return lines

    def _format(self, *, src: str, language: str, options: Any, classes: Any, id_value: str, **_others: Any) -> str:
        source = src.rstrip("\n")
        longest = max((len(run) for run in re.findall(r"^\s*(`{3,})", source, re.MULTILINE)), default=2)
        fence = "`" * (longest + 1)
        given = (f'{key}="{value}"' for key, value in options.items())
        header = " ".join([*given, *(f".{name}" for name in classes), *([f"#{id_value}"] if id_value else [])])
        return self._extension.mark(Block(body_of(source), f"{fence}{language}\n{source}\n{fence}", header), self.md)


def _add_fence(superfences: Any, name: str, format_block: Callable[..., str]) -> None:
    """Register a custom fence; what follows the validator depends on the version, such as `reset` since 12.1."""
    required = (name, format_block, _keep_header)
    others = len(inspect.signature(superfences.extend_super_fences).parameters) - len(required)
    superfences.extend_super_fences(*required, *[None] * others)


def _keep_header(_language: str, inputs: Any, options: Any, _attributes: Any, _md: Markdown) -> bool:
    options.update(inputs)
    return True


class FindBlocks(Preprocessor):
    """Finds the blocks where superfences is not used."""

    def __init__(self, md: Markdown, extension: GptImageExtension, join: JoinSuperfences) -> None:
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


class SeparateBlocks(Preprocessor):
    """Surrounds every block with blank lines, because a figure must not be inside a paragraph.

    They are removed again where the block turns out to be code. A second blank line would end a footnote, so no line
    is added where there is one.
    """

    def __init__(self, md: Markdown, extension: GptImageExtension, join: JoinSuperfences) -> None:
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
                self._extension.note_separation(str(marked), self._take_original(found), blanks)
            out += [blank_or_line for blank_or_line in (before, line, after) if blank_or_line is not None]
        return out

    def _take_original(self, found: re.Match[str]) -> str | None:
        """Remove the text of a fence from the stash of superfences, which would restore it between our blank lines."""
        stash, key = self._join.stash, found["placeholder"][1:-1]
        text, _ = stash.get(key, (None, None)) if stash is not None else (None, None)
        if text is None:
            return None
        stash.remove(key)
        prefix = found["prefix"].expandtabs(TAB)
        return "\n".join(without_prefix(line, prefix) or "" for line in text.split("\n"))
