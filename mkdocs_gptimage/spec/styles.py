"""Reads and validates the option `styles`: named prompt templates with reference images and default fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.spec.model import Style, UnusableReferenceError
from mkdocs_gptimage.spec.parse import unknown_style
from mkdocs_gptimage.spec.prompts import PROMPT_PLACE
from mkdocs_gptimage.spec.schema import violations
from mkdocs_gptimage.text import printable, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mkdocs_gptimage.spec.model import Reference


_EXAMPLE = f"'prompt: \"{PROMPT_PLACE}, in ink\"'"
_BLOCK_ONLY = ("id", "alt", "caption", "dark", "style")


@dataclass(frozen=True)
class StyleOptions:
    """The option `styles` as read."""

    styles: Mapping[str, Style]
    """Valid styles by name."""
    problems: tuple[str, ...]
    """Problems of the other styles, one line each: `styles.ink.prompt: …`."""


def read_styles(option: Mapping[Any, Any], resolve: Callable[[str], Reference]) -> StyleOptions:
    """Read the option.

    `resolve` turns an entry of `image_urls` into a reference, or raises `UnusableReferenceError`.
    """
    styles: dict[str, Style] = {}
    problems: list[str] = []
    for name, fields in option.items():
        where = f"styles.{printable(str(name))}"
        wrong = list(_wrong(fields))
        references = []
        for index, entry in _entries(fields):
            try:
                references.append(resolve(entry))
            except UnusableReferenceError as error:
                wrong.append(f".image_urls[{index}]: {error}")
        problems += [f"{where}{each}" for each in wrong]
        if not wrong:
            given = {key: value for key, value in fields.items() if value is not None}
            template = given.pop("prompt", PROMPT_PLACE)
            given.pop("image_urls", None)
            styles[str(name)] = Style(given, template, tuple(references))
    return StyleOptions(styles, tuple(problems))


def _entries(fields: Any) -> Iterator[tuple[int, str]]:
    """Yield the index and text of each entry of `image_urls` that is text and not blank."""
    entries = fields.get("image_urls") if isinstance(fields, dict) else None
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, str) and entry.strip():
            yield index, entry


def _wrong(fields: Any) -> Iterator[str]:
    """Yield the problems of one style, except those of its references, each as `.prompt: …`."""
    if not isinstance(fields, dict):
        found = "is empty" if fields is None else f"{quote(fields)} is not a style"
        yield f": {found}, expected fields, as in {_EXAMPLE}"
        return
    misplaced = [key for key in _BLOCK_ONLY if key in fields]
    yield from (f".{key}: belongs in a block, not in a style" for key in misplaced)
    rest = {key: value for key, value in fields.items() if key not in misplaced and value is not None}
    yield from (f".{violation}" for violation in violations(rest, partial=True))
    template = rest.get("prompt")
    if isinstance(template, str) and PROMPT_PLACE not in template:
        yield f".prompt: has no {PROMPT_PLACE}, which stands for the prompt of the block"


def default_style_problems(defaults: Mapping[str, Any], styles: Mapping[Any, Any]) -> list[str]:
    """Return the problem, if any, of `defaults.style`; `styles` is the whole option."""
    name, names = defaults.get("style"), sorted(map(str, styles))
    if not isinstance(name, str) or not name or name in names:
        return []
    return [f"defaults.style: {unknown_style(name, names)}"]
