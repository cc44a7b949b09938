"""A block's text → a validated picture with its presentation, or the problems that prevent it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.spec import prompts, sizes, yaml12
from mkdocs_gptimage.spec.model import (
    DEFAULT_MODEL,
    ImageSpec,
    ParsedBlock,
    PendingReference,
    Presentation,
    Reference,
    SiteDefaults,
    Style,
    UnusableReferenceError,
    reference_to,
)
from mkdocs_gptimage.spec.prompts import PROMPT_PLACE
from mkdocs_gptimage.spec.references import check_total_size
from mkdocs_gptimage.spec.schema import block_schema, violations
from mkdocs_gptimage.text import did_you_mean, quote, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


_LONGEST_MESSAGE = 300


def unmet_requirements(parsed: ParsedBlock, *, alt: bool) -> list[str]:
    """Return problems of a valid block with the site's rules; with `alt`, every picture needs a text alternative."""
    problems = []
    if parsed.spec is not None and alt and parsed.presentation.alt is None:
        problems.append('alt: is missing, and this site requires it; `alt: ""` marks a decorative picture')
    try:
        check_total_size(parsed.spec.references if parsed.spec is not None else ())
    except UnusableReferenceError as error:
        problems.append(f"image_urls: {error}")
    return problems


def parse_block(text: str, site_defaults: SiteDefaults, resolve: Callable[[str], Reference]) -> ParsedBlock:
    """Read a block's text.

    `resolve` turns an entry of `image_urls` into a reference, or raises `UnusableReferenceError`.
    """
    try:
        document = yaml12.read(text)
    except yaml12.YamlError as error:
        return ParsedBlock(None, Presentation(), ((error.line, shortened(str(error), _LONGEST_MESSAGE)),))
    return parse_fields(document.value, lambda name: document.lines.get(name, 0), site_defaults, resolve)


def parse_fields(
    given: Any, line_of: Callable[[str], int], site_defaults: SiteDefaults, resolve: Callable[[str], Reference]
) -> ParsedBlock:
    """Read the fields of a block; `line_of` is the line of a field, for problems; `resolve` as in `parse_block`."""
    fields, style = _filled_in(given, site_defaults)
    problems = [(line_of(violation.field), str(violation)) for violation in violations(fields)]
    if style is None:
        problems.append((line_of("style"), f"style: {unknown_style(fields['style'], site_defaults.styles)}"))
    if problems or style is None:
        return ParsedBlock(None, Presentation(), tuple(problems))
    references = list(style.references)
    pending = [
        PendingReference(each.wanted, line_of("style"), "style") for each in references if each.wanted is not None
    ]
    for index, entry in enumerate(fields.get("image_urls", ())):
        place = f"image_urls[{index}]"
        try:
            references.append(resolve(entry))
        except UnusableReferenceError as error:
            problems.append((line_of("image_urls"), f"{place}: {error}"))
            continue
        if (wanted := references[-1].wanted) is not None:
            pending.append(PendingReference(wanted, line_of("image_urls"), place))
    most = block_schema()["properties"]["image_urls"]["maxItems"]
    if len(references) > most:
        message = f"image_urls: {len(references)} entries with those of the style, expected at most {most}"
        problems.append((line_of("image_urls"), message))
    light = _spec(fields, style.prompt(fields["prompt"]), tuple(references))
    dark = _dark(light, fields.get("dark", False), style, site_defaults.dark_instruction)
    problems += [(line_of(name), message) for name, message in _too_long(light, dark, fields.get("dark"), style)]
    if problems:
        return ParsedBlock(None, Presentation(), tuple(problems))
    return ParsedBlock(light, _presentation(fields), dark=dark, pending_references=tuple(pending))


def _filled_in(given: Any, site_defaults: SiteDefaults) -> tuple[Any, Style | None]:
    """Return a block's fields completed from its style and the site, and its style; None for an unknown style.

    A style with references replaces the site's default `image_urls`.
    """
    if not isinstance(given, dict):
        return given, Style()
    own = {key: value for key, value in given.items() if not _is_left_open(key, value)}
    name = own.get("style", site_defaults.defaults.get("style"))
    style = site_defaults.styles.get(name) if isinstance(name, str) and name else Style()
    shared = {**site_defaults.defaults, **style.fields} if style is not None else site_defaults.defaults
    if style is not None and style.references:
        shared = {**shared, "image_urls": []}
    return {**shared, **own}, style


def unknown_style(found: str, styles: Iterable[str]) -> str:
    """Return the message for a style that the site does not define."""
    names = sorted(styles)
    advice = did_you_mean(found, names) if names else "; mkdocs.yml has no 'styles'"
    return f"{quote(found)} is not a style{advice}"


def _too_long(light: ImageSpec, dark: ImageSpec | None, option: Any, style: Style) -> Iterable[tuple[str, str]]:
    """Yield (field, message) for a prompt that is too long together with its style or the dark instruction."""
    longest = block_schema()["properties"]["prompt"]["maxLength"]
    if style.template != PROMPT_PLACE and len(light.prompt) > longest:
        yield "prompt", f"prompt: {len(light.prompt)} characters with its style, expected at most {longest}"
    elif dark is not None and len(dark.prompt) > longest:
        found = f"dark: a prompt of {len(dark.prompt)} characters"
        if option is True:
            advice = "give the dark picture a prompt of its own"
            yield "dark", f"{found} with its instruction, expected at most {longest}; {advice}"
        elif style.template != PROMPT_PLACE:
            yield "dark", f"{found} with its style, expected at most {longest}"


def _is_left_open(key: str, value: Any) -> bool:
    """Whether a line like `alt:` leaves a field to its default; the prompt has none."""
    return value is None and key != "prompt" and key in block_schema()["properties"]


def _spec(fields: Mapping[str, Any], prompt: str, references: tuple[Reference, ...]) -> ImageSpec:
    variant = fields.get("variant")
    return ImageSpec(
        prompt=prompt,
        size=fields.get("size", None if references else sizes.DEFAULT_SIZE),
        resolution=fields.get("resolution", sizes.DEFAULT_RESOLUTION),
        references=references,
        # JSON Schema accepts 2.0 as an integer.
        variant=None if variant is None else str(int(variant) if isinstance(variant, float) else variant),
        model=fields.get("model", DEFAULT_MODEL),
        official_fallback=fields.get("official_fallback", False),
    )


def _dark(light: ImageSpec, option: bool | Mapping[str, str], style: Style, instruction: str) -> ImageSpec | None:
    """Return the dark twin, drawn from the light picture by its own prompt, or by that prompt and the instruction."""
    if option is False:
        return None
    prompt = f"{light.prompt}\n\n{instruction.strip()}" if option is True else style.prompt(option["prompt"])
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
