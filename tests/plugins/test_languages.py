"""Beside mkdocs-static-i18n, which builds the site once more for every language."""

from __future__ import annotations

import pytest
from plugins.plugin_sites import THEMES, shown

LANGUAGES = [
    {"locale": "en", "default": True, "name": "English", "build": True},
    {"locale": "de", "name": "Deutsch", "build": True},
    {"locale": "fr", "name": "Français", "build": True},
]
PAGES = {"suffix": ("sub/x.md", "sub/x.de.md"), "folder": ("en/sub/x.md", "de/sub/x.md")}


@pytest.mark.parametrize(
    ("theme", "structure", "directory_urls"),
    [
        ("mkdocs", "suffix", True),
        ("material", "suffix", False),
        ("material", "folder", True),
        ("mkdocs", "folder", False),
    ],
)
def test_every_language(site, theme, structure, directory_urls):
    """All languages show their pictures from one folder of files; one without a page of its own shows the default's."""
    site.configure(
        plugins=[{"i18n": {"docs_structure": structure, "languages": LANGUAGES}}],
        theme=THEMES[theme],
        use_directory_urls=directory_urls,
    )
    english, german = PAGES[structure]
    site.write(
        {
            english: "# X\n" + shown("harbour") + shown("linked"),
            german: "# X\n" + shown("harbour", alt="Boote") + shown("lamp", alt="Lampe"),
            english.replace("sub/x", "index"): "# Home\n",
        }
    )

    figures = site.figures()

    end = "sub/x/index.html" if directory_urls else "sub/x.html"
    assert list(figures) == [f"de/{end}", f"fr/{end}", end]
    assert [figure.image["alt"] for figure in figures[f"de/{end}"]] == ["Boote", "Lampe"]
    assert [figure.image["alt"] for figure in figures[f"fr/{end}"]] == ["Boats & a <low> sun", "Map"]
    assert len(list((site.root / "site").rglob("gptimage.css"))) == 1
