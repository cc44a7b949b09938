"""Prompt text: normal form, the instruction for dark twins, and slugs for file names."""

from __future__ import annotations

import re
import unicodedata

DARK_INSTRUCTION = (
    "Redraw the reference image for a page with a dark background. Keep the composition, the framing, the style, and "
    "every subject with its shape, place and pose. Change only the light: night or dim light, a dark background that "
    "reaches all four edges, muted colours, and no large bright or white areas. Keep the subjects clearly visible, and "
    "any lettering as it reads, light on dark."
)
"""Appended to a picture's prompt to make that of its dark twin, unless the site sets its own; part of digests."""
PROMPT_PLACE = "{prompt}"
"""Placeholder for the block's prompt in the template of a style."""
_ARTICLES = frozenset({"a", "an", "the"})
_LONGEST_SLUG = 40
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


def normalise(prompt: str) -> str:
    """Return the prompt in NFC, with line feeds as line ends, without leading and trailing white space."""
    return unicodedata.normalize("NFC", prompt).replace("\r\n", "\n").replace("\r", "\n").strip()


def slug(text: str) -> str:
    """Return the first words of a text in `[a-z0-9-]`: at most 40 characters, cut between words, `image` if none."""
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
