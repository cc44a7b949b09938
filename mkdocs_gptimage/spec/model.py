"""The picture that a block asks for: the fields of the request, its digest, and how a page shows it."""

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
"""Stands before the id of a picture, where that takes the place of an address."""


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
    """Bytes of the image; 0 where unknown: for a URL, and for another picture, which may be missing yet."""
    of: ImageSpec | None = None
    """The picture of this plan that is the reference, its parent."""
    wanted: str | None = None
    """The id of the picture that will be its parent when all pages are read."""


@dataclass(frozen=True)
class ImageSpec:
    """One picture to be drawn: the fields of the request, defaults filled in and normalised."""

    prompt: str
    size: str | None = sizes.DEFAULT_SIZE
    """Ratio, pixels or `auto`; None when the picture follows its references."""
    resolution: str = sizes.DEFAULT_RESOLUTION
    references: tuple[Reference, ...] = ()
    variant: str | None = None
    model: str = DEFAULT_MODEL
    official_fallback: bool = False
    """Sent, but not part of the identity."""

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
        # What a dark twin adds to the prompt of its picture stands behind an empty line, and says nothing about it.
        return prompts.slug(self.prompt.partition("\n\n")[0] if self.parents else self.prompt)

    @property
    def stem(self) -> str:
        """The name of the picture's published files, without their endings."""
        return f"{self.slug}-{self.digest.short}"

    @property
    def parents(self) -> tuple[ImageSpec, ...]:
        """The pictures that this one is drawn from, each once."""
        found = {reference.of.digest: reference.of for reference in self.references if reference.of is not None}
        return tuple(found.values())

    @property
    def pixels(self) -> tuple[int, int]:
        """The (width, height) that the service is expected to answer with."""
        return sizes.pixels(self.size, self.resolution)


def reference_to(parent: ImageSpec) -> Reference:
    """Return the reference that stands for another picture."""
    return Reference(f"spec:{parent.digest}", uri=None, of=parent)


@dataclass(frozen=True)
class Presentation:
    """How one page shows a picture; none of it enters the digest."""

    id: str | None = None
    alt: str | None = None
    """None when the block gives none; `""` for a decorative picture."""
    caption: str | None = None
    """Inline Markdown."""
    css_class: str | None = None
    width: int | None = None
    """The width shown at most, in CSS pixels."""
    loading: str | None = None
    """`lazy` or `eager`; None for the place of the figure to decide."""
    link: bool = False
    prompt: str = ""
    """The prompt as the author wrote it, without the words of a style."""


@dataclass(frozen=True)
class Style:
    """What the blocks of one style share."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    """Fields for whatever a block does not set, but for `prompt` and `image_urls`."""
    template: str = PROMPT_PLACE
    """The prompt, with `{prompt}` for that of the block; other braces stand for themselves."""
    references: tuple[Reference, ...] = ()
    """They come before those of the block."""

    def prompt(self, prompt: str) -> str:
        """Return a prompt in the words of the style, normalised."""
        return prompts.normalise(self.template.replace(PROMPT_PLACE, prompts.normalise(prompt)))


@dataclass(frozen=True)
class SiteDefaults:
    """What a site says for all of its blocks."""

    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Fields for whatever neither a block nor its style sets."""
    styles: Mapping[str, Style] = field(default_factory=dict)
    """By name."""
    dark_instruction: str = DARK_INSTRUCTION
    """How a dark twin differs from its picture."""


@dataclass(frozen=True)
class PendingReference:
    """A picture that another one is drawn from, by its id."""

    id: str
    line: int
    """Of the field that names it, counted from 0 in the block's text."""
    field: str
    """As messages show it, `image_urls[2]`."""


@dataclass(frozen=True)
class ParsedBlock:
    """What became of a block's text: a picture with its presentation, or the problems that prevent it."""

    spec: ImageSpec | None
    presentation: Presentation
    problems: tuple[tuple[int, str], ...] = ()
    """(line, message); lines count from 0 in the block's text."""
    dark: ImageSpec | None = None
    """The picture's twin for dark pages, where the block asks for one."""
    pending_references: tuple[PendingReference, ...] = ()
    """What is not known until all pages are read; until then, neither digest is the final one."""


class UnusableReferenceError(ValueError):
    """A reference image that cannot be used; its text says why."""
