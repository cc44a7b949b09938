"""Beside mkdocs-minify-plugin, which rewrites HTML and style sheets."""

from __future__ import annotations

import pytest
from plugins import built
from plugins.plugin_sites import shown

SMALLEST = {
    "remove_comments": True,
    "remove_all_empty_space": True,
    "reduce_boolean_attributes": True,
    "remove_optional_attribute_quotes": True,
}
PAGES = {
    "index.md": "# Home\n" + shown("harbour") + shown("plain"),
    "deep/one.md": "# One\n" + shown("linked", width=300) + shown("lamp", alt="> \"a\" = 'b' & `c`", loading="eager"),
    "two.md": "# Two\n" + shown("twins") + "\n![Again](gpt-image:harbour)\n",
    "404.md": "# Not here\n" + shown("harbour"),
}


@pytest.mark.parametrize(("options", "order"), [({}, "first"), (SMALLEST, "last")], ids=["as it comes", "smallest"])
def test_figures_are_the_same(site, options, order):
    """A browser sees the same figures in a minified site, on the page for what is not found as well."""
    minify = {"minify": {"minify_html": True, "htmlmin_opts": options}}
    site.write(PAGES)
    site.configure(use_directory_urls=False)
    before = site.figures()
    size = len(site.page("index.html"))

    site.configure(plugins=[minify, "gptimage"] if order == "first" else ["gptimage", minify], use_directory_urls=False)
    after = site.figures()

    assert len(site.page("index.html")) < size
    assert list(before) == ["404.html", "deep/one.html", "index.html", "two.html"]
    assert [as_seen(figure) for each in after.values() for figure in each] == [
        as_seen(figure) for each in before.values() for figure in each
    ]


def as_seen(figure: built.Figure) -> tuple:
    return figure.attributes, figure.images, figure.sources, figure.links, figure.caption


def test_style_sheet(site):
    """Our style sheet can be minified like the site's own, and pages ask for what it has become."""
    site.configure(
        plugins=["gptimage", {"minify": {"minify_css": True, "css_files": [f"{built.ASSETS}/gptimage.css"]}}]
    )
    site.write({"index.md": "# Home\n" + shown("harbour")})

    site.figures()

    assert "gptimage.min.css" in site.page("index.html")
