"""Many plugins, at once."""

from __future__ import annotations

import pytest
from plugins.plugin_sites import THEMES, shown

OTHERS = [
    "search",
    "blog",
    "macros",
    "awesome-nav",
    {"redirects": {"redirect_maps": {"old.md": "deep/one.md"}}},
    "glightbox",
    "privacy",
    {"minify": {"minify_html": True}},
]


@pytest.mark.parametrize("plugins", [["gptimage", *OTHERS], [*OTHERS, "gptimage"]], ids=["ours first", "ours last"])
def test_all_at_once(site, plugins):
    """With eight plugins, in whatever order, every figure of every page is whole."""
    site.configure(plugins=plugins, theme=THEMES["material"], markdown_extensions=["pymdownx.superfences"])
    post = "---\ndate: 2026-01-02\n---\n\n# Post\n" + shown("linked") + "\n<!-- more -->\n"
    site.write(
        {
            "index.md": "# Home\n\n{{ 6 * 7 }}\n" + shown("harbour") + shown("lamp"),
            "deep/one.md": "# One\n" + shown("plain", width=200),
            "blog/index.md": "# Blog\n",
            "blog/posts/post.md": post,
        }
    )

    figures = site.figures()

    assert {path: len(each) for path, each in figures.items()} == {
        "blog/2026/01/02/post/index.html": 1,
        "blog/archive/2026/index.html": 1,
        "blog/index.html": 1,
        "deep/one/index.html": 1,
        "index.html": 2,
    }
    assert [len(figure.links) for figure in figures["index.html"]] == [1, 1]
