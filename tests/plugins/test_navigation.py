"""Plugins that move pages or make them: awesome-nav, awesome-pages, redirects, macros."""

from __future__ import annotations

import pytest
from plugins.plugin_sites import shown

PAGES = {"index.md": "# Home\n" + shown("harbour"), "deep/one.md": "# One\n" + shown("linked") + shown("lamp")}


@pytest.mark.parametrize(("plugin", "file"), [("awesome-pages", "deep/.pages"), ("awesome-nav", "deep/.nav.yml")])
def test_order_of_pages(site, plugin, file):
    """Pages that a file puts in order show their figures."""
    site.configure(plugins=[plugin])
    site.write({**PAGES, file: "title: Harbours\n"})

    figures = site.figures()

    assert [len(each) for each in figures.values()] == [2, 1]
    assert "Harbours" in site.page("index.html")


def test_redirects(site):
    """A page that has moved shows its figures where it is now, and the old address leads there."""
    site.configure(plugins=[{"redirects": {"redirect_maps": {"old/place.md": "deep/one.md"}}}])
    site.write(PAGES)

    figures = site.figures()

    assert list(figures) == ["deep/one/index.html", "index.html"]
    assert "../../deep/one/" in site.page("old/place/index.html")


MACROS = """
def define_env(env):
    @env.macro
    def harbour(alt):
        return {block!r}.replace("ALT", alt)
"""


@pytest.mark.parametrize("plugins", [["macros"], ["gptimage", "macros"]], ids=["macros first", "macros last"])
def test_macros(site, plugins):
    """A block that a macro writes, or that has values of its own from one, becomes a figure like any other."""
    site.configure(plugins=plugins, extra={"boat": "ketch"})
    (site.root / "main.py").write_text(MACROS.format(block=shown("harbour", alt="ALT", caption="A {{ boat }}")))
    site.write({"a/b.md": "# B\n\n{{ harbour('Made') }}\n", "index.md": "# Home\n" + shown("lamp", alt="{{ boat }}")})

    figures = site.figures()

    assert [figure.image["alt"] for each in figures.values() for figure in each] == ["Made", "ketch"]
