"""What readers can search for: captions, and nothing that they cannot see."""

from __future__ import annotations

import json

import pytest
from plugins.plugin_sites import LAMP, PICTURES, THEMES, shown


@pytest.mark.parametrize("theme", THEMES)
def test_search_index(site, theme):
    """The index has the caption of a figure, but neither its prompt nor its alternative text nor the block."""
    site.configure(plugins=["search"], theme=THEMES[theme])
    site.write({"index.md": "# Home\n\nWords around it.\n" + shown("harbour") + shown("lamp")})

    ((harbour, lamp),) = site.figures().values()
    (path,) = (site.root / "site").rglob("search_index.json")
    index = path.read_text("utf-8")
    text = " ".join(entry["text"] for entry in json.loads(index)["docs"])

    assert "Words around it." in text
    assert "one block" in text.replace("<strong>", "").replace("</strong>", "")
    assert harbour.image["alt"] == PICTURES["harbour"]["alt"]
    assert lamp.image["alt"] == LAMP
    for hidden in ("xylophone", "zeppelin", "Boats", "prompt", "gpt-image", "srcset"):
        assert hidden not in index
