"""Regular expressions for the markers in a page's HTML that figures are filled into."""

from __future__ import annotations

import re

from mkdocs_gptimage.spec.model import BY_ID

MENTION_IMAGE = re.compile(rf'<img\b[^>]*?\ssrc="{BY_ID}(?P<id>[^"]*)"[^>]*>')
"""An image of a page's content that names a picture by id; Python-Markdown escapes quotes and `>` in attributes."""

MENTION_LINK = re.compile(rf'(?<=\shref="){BY_ID}(?P<id>[^"]*)(?=")')
"""The address of a link that another plugin has put around such an image."""
