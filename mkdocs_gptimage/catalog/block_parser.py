"""Parses the blocks of pages with the defaults, styles and requirements of the site."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs_gptimage.spec.model import ParsedBlock
from mkdocs_gptimage.spec.parse import parse_block, unmet_requirements
from mkdocs_gptimage.text import quote

if TYPE_CHECKING:
    from mkdocs_gptimage.blocks.fence import Block
    from mkdocs_gptimage.spec.model import SiteDefaults
    from mkdocs_gptimage.spec.references import ReferenceResolver


@dataclass(frozen=True)
class BlockParser:
    """Parses blocks by a site's defaults, styles and requirements."""

    site_defaults: SiteDefaults
    references: ReferenceResolver
    require_alt: bool

    def parse(self, block: Block, folder: str) -> ParsedBlock:
        """Parse a block of a page in `folder`, an absolute path; problems of its fence line have the line -1."""
        parsed = parse_block(block.body, self.site_defaults, lambda entry: self.references.resolve(entry, Path(folder)))
        problems = list(parsed.problems)
        if block.header:
            problems.append(
                (-1, f"unexpected {quote(block.header)} after the language; write options as lines in the block")
            )
        problems += [(0, message) for message in unmet_requirements(parsed, alt=self.require_alt)]
        return ParsedBlock(None, parsed.presentation, tuple(problems)) if problems else parsed
