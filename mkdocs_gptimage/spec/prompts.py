"""The words of a prompt: their one form, what is put around them, and what is left of them in a file name."""

from __future__ import annotations

import re
import unicodedata

DARK_INSTRUCTION = (
    "Redraw the reference image for a page with a dark background. Keep the composition, the framing, the style, and "
    "every subject with its shape, place and pose. Change only the light: night or dim light, a dark background that "
    "reaches all four edges, muted colours, and no large bright or white areas. Keep the subjects clearly visible, and "
    "any lettering as it reads, light on dark."
)
"""Follows the prompt of a picture in that of its dark twin, where the site says nothing else; part of digests."""
PROMPT_PLACE = "{prompt}"
"""Where the template of a style takes the block's prompt."""
_ARTICLES = frozenset({"a", "an", "the"})
_LONGEST_SLUG = 40
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


def normalise(prompt: str) -> str:
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
