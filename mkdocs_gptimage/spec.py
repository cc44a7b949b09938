"""YAML text → what a block asks for: the picture itself, and how the page shows it.

The picture's identity is the SHA-256 of its canonical form. Both are a contract: a store filled today is looked up by
them tomorrow, so they change only together with `VERSION` and a migration.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import sizes, validation, yaml12

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

VERSION = 1
DEFAULT_MODEL = "gpt-image-2"
SHORT_DIGEST = 12
"""Hexadecimal digits of the digest in file names and messages."""
DARK_INSTRUCTION = (
    "Redraw the reference image for a page with a dark background. Keep the composition, the framing, the style, and "
    "every subject with its shape, place and pose. Change only the light: night or dim light, a dark background that "
    "reaches all four edges, muted colours, and no large bright or white areas. Keep the subjects clearly visible, and "
    "any lettering as it reads, light on dark."
)
"""Follows the prompt of a picture in that of its dark twin, where the site says nothing else; part of digests."""

_CANONICAL_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_ARTICLES = frozenset({"a", "an", "the"})
_LONGEST_MESSAGE = 300
_LONGEST_SLUG = 40
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


def digest_of(canonical: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a canonical form as UTF-8 JSON: keys sorted, no spaces, non-ASCII kept."""
    return hashlib.sha256(_CANONICAL_JSON.encode(canonical).encode()).hexdigest()


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
    """Bytes of the image; 0 for a URL, where nobody knows, and for another picture, which may not be there yet."""
    of: ImageSpec | None = None
    """The picture of this plan that is the reference, its parent."""


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
    def digest(self) -> str:
        """SHA-256 of the canonical form, 64 hexadecimal digits."""
        return digest_of(self.canonical)

    @functools.cached_property
    def slug(self) -> str:
        """Words of the prompt for a file name: `[a-z0-9-]`, at most 40 characters, never empty."""
        # What a dark twin adds to the prompt of its picture stands behind an empty line, and says nothing about it.
        return slug(self.prompt.partition("\n\n")[0] if self.parents else self.prompt)

    @property
    def stem(self) -> str:
        """The name of the picture's published files, without their endings."""
        return f"{self.slug}-{self.digest[:SHORT_DIGEST]}"

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


@dataclass(frozen=True)
class Reading:
    """What became of a block's text: a picture with its presentation, or the problems that prevent it."""

    spec: ImageSpec | None
    presentation: Presentation
    problems: tuple[tuple[int, str], ...] = ()
    """(line, message); lines count from 0 in the block's text."""
    dark: ImageSpec | None = None
    """The picture's twin for dark pages, where the block asks for one."""


class UnusableReferenceError(ValueError):
    """A reference image that cannot be used; its text says why."""


def read(
    text: str,
    defaults: Mapping[str, Any],
    resolve: Callable[[str], Reference],
    dark_instruction: str = DARK_INSTRUCTION,
) -> Reading:
    """Read a block's text.

    `defaults` are fields for whatever the block does not set. `resolve` turns an entry of `image_urls` into a
    reference, or raises `UnusableReferenceError`. `dark_instruction` says how a dark twin differs from its picture.
    """
    try:
        document = yaml12.read(text)
    except yaml12.YamlError as error:
        return Reading(None, Presentation(), ((error.line, validation.shortened(str(error), _LONGEST_MESSAGE)),))
    fields = document.value
    if isinstance(fields, dict):
        fields = {**defaults, **{key: value for key, value in fields.items() if not _is_left_open(key, value)}}
    problems = [(document.lines.get(v.field, 0), str(v)) for v in validation.violations(fields)]
    if problems:
        return Reading(None, Presentation(), tuple(problems))
    references = []
    for index, entry in enumerate(fields.get("image_urls", ())):
        try:
            references.append(resolve(entry))
        except UnusableReferenceError as error:
            problems.append((document.lines.get("image_urls", 0), f"image_urls[{index}]: {error}"))
    if problems:
        return Reading(None, Presentation(), tuple(problems))
    light = _spec(fields, tuple(references))
    dark = _dark(light, fields.get("dark", False), dark_instruction)
    longest = validation.schema()["properties"]["prompt"]["maxLength"]
    if dark is not None and len(dark.prompt) > longest:
        problem = f"dark: a prompt of {len(dark.prompt)} characters with its instruction, expected at most {longest}"
        problem += "; give the dark picture a prompt of its own"
        return Reading(None, Presentation(), ((document.lines.get("dark", 0), problem),))
    return Reading(light, _presentation(fields), dark=dark)


def _is_left_open(key: str, value: Any) -> bool:
    """Whether a line like `alt:` leaves a field to its default; the prompt has none."""
    return value is None and key != "prompt" and key in validation.schema()["properties"]


def _spec(fields: Mapping[str, Any], references: tuple[Reference, ...]) -> ImageSpec:
    variant = fields.get("variant")
    return ImageSpec(
        prompt=normalise_prompt(fields["prompt"]),
        size=fields.get("size", None if references else sizes.DEFAULT_SIZE),
        resolution=fields.get("resolution", sizes.DEFAULT_RESOLUTION),
        references=references,
        # JSON Schema takes 2.0 for an integer.
        variant=None if variant is None else str(int(variant) if isinstance(variant, float) else variant),
        model=fields.get("model", DEFAULT_MODEL),
        official_fallback=fields.get("official_fallback", False),
    )


def _dark(light: ImageSpec, asked: bool | Mapping[str, str], instruction: str) -> ImageSpec | None:
    """Return the twin that is drawn from the light picture, with a prompt of its own or an instruction behind that."""
    if asked is False:
        return None
    prompt = f"{light.prompt}\n\n{instruction.strip()}" if asked is True else asked["prompt"]
    return dataclasses.replace(light, prompt=normalise_prompt(prompt), references=(reference_to(light),))


def _presentation(fields: Mapping[str, Any]) -> Presentation:
    width = fields.get("width")
    return Presentation(
        id=fields.get("id"),
        alt=fields.get("alt"),
        caption=fields.get("caption") or None,
        css_class=fields.get("class"),
        width=None if width is None else int(width),
        loading=fields.get("loading"),
        link=fields.get("link", False),
    )


def normalise_prompt(prompt: str) -> str:
    """Return the prompt in NFC, with line feeds as line ends and no white space at both ends."""
    return unicodedata.normalize("NFC", prompt).replace("\r\n", "\n").replace("\r", "\n").strip()


def slug(text: str) -> str:
    """Return the first words of a text as `[a-z0-9-]`, at most 40 characters, cut between words; never empty."""
    plain = unicodedata.normalize("NFKD", text[:400]).encode("ascii", "ignore").decode().lower()
    kept = ""
    for word in _NOT_SLUG.sub(" ", plain).split():
        if word in _ARTICLES:
            continue
        longer = f"{kept}-{word}" if kept else word[:_LONGEST_SLUG]
        if len(longer) > _LONGEST_SLUG:
            break
        kept = longer
    return kept or "image"
