"""Beside mkdocs-print-site-plugin, which puts all pages on one."""

from __future__ import annotations

import pytest
from plugins import built
from plugins.plugin_sites import THEMES, shown

PRINTED = {True: "print_page/index.html", False: "print_page.html"}


@pytest.mark.parametrize(("theme", "directory_urls"), [("material", True), ("mkdocs", False)])
def test_print_page(site, theme, directory_urls):
    """The page for print shows the pictures of all pages, from files that are there from where it is."""
    site.configure(
        plugins=["gptimage", "print-site"],
        theme=THEMES[theme],
        use_directory_urls=directory_urls,
    )
    two = "# Two\n" + shown("linked") + shown("lamp") + shown("twins") + "\n![Again](gpt-image:harbour)\n"
    site.write({"index.md": "# Home\n" + shown("harbour"), "deep/er/two.md": two})

    figures = site.figures()

    printed = figures.pop(PRINTED[directory_urls])
    assert [figure.image["alt"] for figure in built.read(site.root / "site", PRINTED[directory_urls]).single] == [
        "Again"
    ]
    assert [figure.image["alt"] for figure in printed] == [
        figure.image["alt"] for path in sorted(figures, reverse=True) for figure in figures[path]
    ]
