"""The picture that a block describes: the fields of the request, its digest, and how a page shows it."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.spec import prompts, sizes
from mkdocs_gptimage.spec.digest import VERSION, Digest, digest_of
from mkdocs_gptimage.spec.prompts import DARK_INSTRUCTION, PROMPT_PLACE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


DEFAULT_MODEL = "gpt-image-2"
BY_ID = "gpt-image:"
"""The prefix of a picture's id where it is used as a URL."""


@dataclass(frozen=True)
class Reference:
    """A reference image of a picture."""

    identity: str
    """What enters the digest: `sha256:HEX` of the bytes, `spec:DIGEST` for another picture, or the URL itself."""
    uri: str | None
    """The URL or data URI to send; None for a file or another picture, which is read when it is sent."""
    path: Path | None = None
    media_type: str = ""
    size: int = 0
    """Bytes of the image; 0 if unknown: for a URL, and for another picture, which may be missing."""
    of: ImageSpec | None = None
    """The parent: the picture of the site that is the reference."""
    wanted: str | None = None
    """The id of the parent, until it is resolved when all pages are read."""


@dataclass(frozen=True)
class ImageSpec:
    """A picture to generate: the fields of the request, defaults filled in and normalised."""

    prompt: str
    size: str | None = sizes.DEFAULT_SIZE
    """Ratio, pixels or `auto`; None to follow the shape of the references."""
    resolution: str = sizes.DEFAULT_RESOLUTION
    references: tuple[Reference, ...] = ()
    variant: str | None = None
    model: str = DEFAULT_MODEL
    official_fallback: bool = False
    """Sent, but not part of the digest."""

    @functools.cached_property
    def canonical(self) -> dict[str, Any]:
        """The identity as a JSON object; optional parts are absent, never null."""
        form: dict[str, Any] = {
            "v": VERSION,
            "model": self.model,
            "prompt": self.prompt,
            "resolution": self.resolution,
        }
        if self.size is not None:
            form["size"] = self.size
        if self.references:
            form["references"] = [reference.identity for reference in self.references]
        if self.variant is not None:
            form["variant"] = self.variant
        return form

    @functools.cached_property
    def digest(self) -> Digest:
        """SHA-256 of the canonical form, 64 hexadecimal digits."""
        return digest_of(self.canonical)

    @functools.cached_property
    def slug(self) -> str:
        """Words of the prompt for a file name: `[a-z0-9-]`, at most 40 characters, never empty."""
        # Leave out the instruction that a dark twin appends to the prompt after an empty line.
        return prompts.slug(self.prompt.partition("\n\n")[0] if self.parents else self.prompt)

    @property
    def stem(self) -> str:
        """The name of the picture's placeholder, without its ending."""
        return f"{self.slug}-{self.digest.short}"

    @property
    def parents(self) -> tuple[ImageSpec, ...]:
        """The pictures among its references, each once."""
        found = {reference.of.digest: reference.of for reference in self.references if reference.of is not None}
        return tuple(found.values())

    @property
    def pixels(self) -> tuple[int, int]:
        """The expected (width, height) of the image."""
        return sizes.pixels(self.size, self.resolution)


def reference_to(parent: ImageSpec) -> Reference:
    """Return the reference that stands for another picture."""
    return Reference(f"spec:{parent.digest}", uri=None, of=parent)


@dataclass(frozen=True)
class Presentation:
    """How one page shows a picture; none of it enters the digest."""

    id: str | None = None
    alt: str | None = None
    """None if the block has none; `""` for a decorative picture."""
    caption: str | None = None
    """Inline Markdown."""
    css_class: str | None = None
    width: int | None = None
    """The maximum width on the page, in CSS pixels."""
    loading: str | None = None
    """`lazy` or `eager`; None to choose by the position of the figure."""
    link: bool = False
    prompt: str = ""
    """The prompt as the author wrote it, without the words of a style."""


@dataclass(frozen=True)
class Style:
    """Settings that the blocks of one style share."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    """Defaults for the fields of a block, except `prompt` and `image_urls`."""
    template: str = PROMPT_PLACE
    """The prompt, with `{prompt}` for that of the block; other braces are literal."""
    references: tuple[Reference, ...] = ()
    """They come before those of the block."""

    def prompt(self, prompt: str) -> str:
        """Return a prompt inserted into the template, normalised."""
        return prompts.normalise(self.template.replace(PROMPT_PLACE, prompts.normalise(prompt)))


@dataclass(frozen=True)
class SiteDefaults:
    """What a site sets for all of its blocks."""

    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Fields that apply where neither a block nor its style sets them."""
    styles: Mapping[str, Style] = field(default_factory=dict)
    """By name."""
    dark_instruction: str = DARK_INSTRUCTION
    """Text appended to a picture's prompt for its dark twin."""


@dataclass(frozen=True)
class PendingReference:
    """A reference to another picture by id, not resolved yet."""

    id: str
    line: int
    """Of the field that names it, counted from 0 in the block's text."""
    field: str
    """As messages show it, `image_urls[2]`."""


@dataclass(frozen=True)
class ParsedBlock:
    """A parsed block: a picture with its presentation, or the problems that prevent it."""

    spec: ImageSpec | None
    presentation: Presentation
    problems: tuple[tuple[int, str], ...] = ()
    """(line, message); lines count from 0 in the block's text."""
    dark: ImageSpec | None = None
    """The picture's twin for dark pages, if the block requests one."""
    pending_references: tuple[PendingReference, ...] = ()
    """Resolved when all pages are read; until then, both digests are provisional."""


class UnusableReferenceError(ValueError):
    """A reference image that cannot be used; the message says why."""
