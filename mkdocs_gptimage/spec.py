"""YAML text → what a block asks for: the picture itself, and how the page shows it.

The picture's identity is the SHA-256 of its canonical form. Both are a contract: a store filled today is looked up by
them tomorrow, so they change only together with `VERSION` and a migration.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import prompts, sizes, validation, yaml12
from .prompts import DARK_INSTRUCTION, PROMPT_PLACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

VERSION = 1
DEFAULT_MODEL = "gpt-image-2"
BY_ID = "gpt-image:"
"""Stands before the id of a picture, where that takes the place of an address."""
SHORT_DIGEST = 12
"""Hexadecimal digits of the digest in file names and messages."""

_CANONICAL_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_LONGEST_MESSAGE = 300


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
    def digest(self) -> str:
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
class House:
    """What a site says for all of its blocks."""

    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Fields for whatever neither a block nor its style sets."""
    styles: Mapping[str, Style] = field(default_factory=dict)
    """By name."""
    dark_instruction: str = DARK_INSTRUCTION
    """How a dark twin differs from its picture."""


@dataclass(frozen=True)
class Want:
    """A picture that another one is drawn from, by its id."""

    id: str
    line: int
    """Of the field that names it, counted from 0 in the block's text."""
    field: str
    """As messages show it, `image_urls[2]`."""


@dataclass(frozen=True)
class Reading:
    """What became of a block's text: a picture with its presentation, or the problems that prevent it."""

    spec: ImageSpec | None
    presentation: Presentation
    problems: tuple[tuple[int, str], ...] = ()
    """(line, message); lines count from 0 in the block's text."""
    dark: ImageSpec | None = None
    """The picture's twin for dark pages, where the block asks for one."""
    wants: tuple[Want, ...] = ()
    """What is not known until all pages are read; until then, neither digest is the final one."""


class UnusableReferenceError(ValueError):
    """A reference image that cannot be used; its text says why."""


def read(
    text: str,
    defaults: Mapping[str, Any],
    resolve: Callable[[str], Reference],
    dark_instruction: str = DARK_INSTRUCTION,
    styles: Mapping[str, Style] | None = None,
) -> Reading:
    """Read a block's text.

    `defaults` are fields for whatever the block does not set. `resolve` turns an entry of `image_urls` into a
    reference, or raises `UnusableReferenceError`. `dark_instruction` says how a dark twin differs from its picture;
    `styles` are those that the block can name.
    """
    try:
        document = yaml12.read(text)
    except yaml12.YamlError as error:
        return Reading(None, Presentation(), ((error.line, validation.shortened(str(error), _LONGEST_MESSAGE)),))
    house = House(defaults, styles or {}, dark_instruction)
    return read_fields(document.value, lambda name: document.lines.get(name, 0), house, resolve)


def read_fields(
    given: Any, line_of: Callable[[str], int], house: House, resolve: Callable[[str], Reference]
) -> Reading:
    """Read the fields of a block; `line_of` is the line of a field, for problems; `resolve` as in `read`."""
    fields, style = _filled_in(given, house)
    problems = [(line_of(violation.field), str(violation)) for violation in validation.violations(fields)]
    if style is None:
        problems.append((line_of("style"), f"style: {no_style(fields['style'], house.styles)}"))
    if problems or style is None:
        return Reading(None, Presentation(), tuple(problems))
    references = list(style.references)
    wants = [Want(each.wanted, line_of("style"), "style") for each in references if each.wanted is not None]
    for index, entry in enumerate(fields.get("image_urls", ())):
        place = f"image_urls[{index}]"
        try:
            references.append(resolve(entry))
        except UnusableReferenceError as error:
            problems.append((line_of("image_urls"), f"{place}: {error}"))
            continue
        if (wanted := references[-1].wanted) is not None:
            wants.append(Want(wanted, line_of("image_urls"), place))
    most = validation.schema()["properties"]["image_urls"]["maxItems"]
    if len(references) > most:
        said = f"image_urls: {len(references)} entries with those of the style, expected at most {most}"
        problems.append((line_of("image_urls"), said))
    light = _spec(fields, style.prompt(fields["prompt"]), tuple(references))
    dark = _dark(light, fields.get("dark", False), style, house.dark_instruction)
    problems += [(line_of(name), said) for name, said in _too_long(light, dark, fields.get("dark"), style)]
    if problems:
        return Reading(None, Presentation(), tuple(problems))
    return Reading(light, _presentation(fields), dark=dark, wants=tuple(wants))


def _filled_in(given: Any, house: House) -> tuple[Any, Style | None]:
    """Return a block's fields, with those of its style and of the site, and its style: None for one that is not there.

    A style with references replaces those that the site gives to blocks without any.
    """
    if not isinstance(given, dict):
        return given, Style()
    own = {key: value for key, value in given.items() if not _is_left_open(key, value)}
    name = own.get("style", house.defaults.get("style"))
    style = house.styles.get(name) if isinstance(name, str) and name else Style()
    shared = {**house.defaults, **style.fields} if style is not None else house.defaults
    if style is not None and style.references:
        shared = {**shared, "image_urls": []}
    return {**shared, **own}, style


def no_style(found: str, styles: Iterable[str]) -> str:
    """What is wrong with the name of a style that is none of the site's."""
    known = sorted(styles)
    advice = validation.did_you_mean(found, known) if known else "; mkdocs.yml has no 'styles'"
    return f"{validation.quote(found)} is not a style{advice}"


def _too_long(light: ImageSpec, dark: ImageSpec | None, asked: Any, style: Style) -> Iterable[tuple[str, str]]:
    """The fields whose prompts are too long with what is put around them, and what to say about it."""
    longest = validation.schema()["properties"]["prompt"]["maxLength"]
    if style.template != PROMPT_PLACE and len(light.prompt) > longest:
        yield "prompt", f"prompt: {len(light.prompt)} characters with its style, expected at most {longest}"
    elif dark is not None and len(dark.prompt) > longest:
        found = f"dark: a prompt of {len(dark.prompt)} characters"
        if asked is True:
            advice = "give the dark picture a prompt of its own"
            yield "dark", f"{found} with its instruction, expected at most {longest}; {advice}"
        elif style.template != PROMPT_PLACE:
            yield "dark", f"{found} with its style, expected at most {longest}"


def _is_left_open(key: str, value: Any) -> bool:
    """Whether a line like `alt:` leaves a field to its default; the prompt has none."""
    return value is None and key != "prompt" and key in validation.schema()["properties"]


def _spec(fields: Mapping[str, Any], prompt: str, references: tuple[Reference, ...]) -> ImageSpec:
    variant = fields.get("variant")
    return ImageSpec(
        prompt=prompt,
        size=fields.get("size", None if references else sizes.DEFAULT_SIZE),
        resolution=fields.get("resolution", sizes.DEFAULT_RESOLUTION),
        references=references,
        # JSON Schema takes 2.0 for an integer.
        variant=None if variant is None else str(int(variant) if isinstance(variant, float) else variant),
        model=fields.get("model", DEFAULT_MODEL),
        official_fallback=fields.get("official_fallback", False),
    )


def _dark(light: ImageSpec, asked: bool | Mapping[str, str], style: Style, instruction: str) -> ImageSpec | None:
    """Return the twin that is drawn from the light picture, with a prompt of its own or an instruction behind that."""
    if asked is False:
        return None
    prompt = f"{light.prompt}\n\n{instruction.strip()}" if asked is True else style.prompt(asked["prompt"])
    return dataclasses.replace(light, prompt=prompts.normalise(prompt), references=(reference_to(light),))


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
        prompt=prompts.normalise(fields["prompt"]),
    )
