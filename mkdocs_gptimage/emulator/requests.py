"""Request bodies: JSON that is validated field by field. Unknown fields are ignored, as the real service does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mkdocs_gptimage.emulator.errors import invalid
from mkdocs_gptimage.emulator.picture import PictureSpec
from mkdocs_gptimage.emulator.references import read_references
from mkdocs_gptimage.emulator.sizes import DEFAULT_RESOLUTION, DEFAULT_SIZE, PIXELS, RESOLUTIONS, is_size, pixels, tier

MODEL = "gpt-image-2"
MOST_IDS = 100
"""Tasks in one batch poll."""


@dataclass(frozen=True)
class GenerationRequest:
    """A valid request for a picture."""

    picture: PictureSpec
    tier: str
    """The resolution whose latency it has."""

    @property
    def prompt(self) -> str:
        return self.picture.prompt


def read_generation(body: bytes) -> GenerationRequest:
    """Read the body of a submit. Raises ApiError (400).

    It decodes reference images: call it in a thread when the body is large.
    """
    fields = _object(body)
    prompt = _text(fields, "prompt")
    if not prompt.strip():
        raise invalid("prompt", "expected a description, found nothing")
    if _text(fields, "model") != MODEL:
        raise invalid("model", f"{fields['model']!r} is not offered; expected {MODEL!r}", "model_not_found")
    count = fields.get("n", 1)
    if type(count) is not int or count != 1:
        raise invalid("n", f"expected the number 1, found {json.dumps(count)[:40]}")
    size = _size(fields)
    resolution = _text(fields, "resolution", DEFAULT_RESOLUTION)
    if resolution not in RESOLUTIONS:
        raise invalid("resolution", f"{resolution!r} is not one of {', '.join(RESOLUTIONS)}")
    if not isinstance(fields.get("official_fallback", False), bool):
        raise invalid("official_fallback", "expected true or false")
    references = read_references(_texts(fields, "image_urls"))
    width, height = pixels(size, resolution, (references[0].width, references[0].height) if references else None)
    if size in PIXELS or size == "auto" or (size is None and not references):
        label = f"{size or DEFAULT_SIZE} · {resolution}"
    else:
        label, resolution = f"{width}x{height}", tier(width, height)
    return GenerationRequest(PictureSpec(prompt, width, height, references, label), resolution)


def read_ids(body: bytes) -> list[str]:
    """Read the task ids of a batch poll. Raises ApiError (400)."""
    ids = _texts(_object(body), "task_ids", required=True)
    if len(ids) > MOST_IDS:
        raise invalid("task_ids", f"at most {MOST_IDS} ids, found {len(ids)}")
    return ids


def _object(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise invalid(None, "The body is not JSON.", "invalid_json") from None
    if not isinstance(fields, dict):
        raise invalid(None, "The body is not a JSON object.", "invalid_json")
    return fields


def _text(fields: dict[str, Any], name: str, default: str | None = None) -> str:
    if name not in fields and default is None:
        raise invalid(name, "this field is required", "missing_parameter")
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise invalid(name, f"expected a string, found {json.dumps(value)[:40]}")
    if not _is_unicode(value):
        raise invalid(name, "half of a surrogate pair is not a character")
    return value


def _texts(fields: dict[str, Any], name: str, *, required: bool = False) -> list[str]:
    if name not in fields and required:
        raise invalid(name, "this field is required", "missing_parameter")
    values = fields.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) and _is_unicode(value) for value in values):
        raise invalid(name, "expected an array of strings")
    return values


def _is_unicode(text: str) -> bool:
    """False for half of a surrogate pair, which JSON can escape and no encoding can write."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _size(fields: dict[str, Any]) -> str | None:
    """The size as it was given, or None."""
    if "size" not in fields:
        return None
    size = _text(fields, "size")
    if not is_size(size):
        example = f"{DEFAULT_SIZE!r}, 'auto' or '3840x2160'"
        raise invalid("size", f"{size[:40]!r} is not a size; expected a ratio or pixels such as {example}")
    return size
