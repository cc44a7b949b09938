"""The location of a block or spec in the project's files, as messages show it."""

from __future__ import annotations

from dataclasses import dataclass

from mkdocs_gptimage.text import Problem


@dataclass(frozen=True)
class Location:
    """A file of the project and, where it is known, a line of it."""

    file: str
    """Relative to the project: `docs/guide/cats.md`."""
    line: int | None = None
    """Counts from 1; None for text that was included or made by a macro."""
    excerpt: str = ""
    """Identifies a block that has no line: `in included or generated text, the block 'prompt: a cat'`."""

    def __str__(self) -> str:
        """`docs/guide/cats.md:14`, or the file and the excerpt."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.excerpt}" if self.excerpt else place

    def problem(self, message: str, role: str = "") -> Problem:
        """Return a problem at this location; `role` as in `Problem`."""
        if not self.excerpt:
            return Problem(message, self.file, self.line, role)
        return Problem(f"{self.excerpt}{f' ({role})' if role else ''}: {message}", self.file)
