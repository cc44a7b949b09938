"""Beside mkdocs-glightbox, which puts a link around each image."""

from __future__ import annotations

import shutil

import pytest
from plugins import built
from plugins.plugin_sites import PAID, PICTURE, THEMES, shown
from sites import FAST


def lightboxes(figure: built.Figure) -> list[str]:
    """The URLs that the picture of a figure opens in the lightbox."""
    return [link["href"] for link in figure.links if "glightbox" in link.get("class", "").split()]


@pytest.mark.parametrize(
    ("plugins", "directory_urls"),
    [(["glightbox"], True), (["gptimage", "glightbox"], False)],
    ids=["lightbox first", "lightbox last"],
)
def test_opens_the_widest_version(site, plugins, directory_urls):
    """A picture opens in the lightbox in its widest version, whatever was expected before the picture was there."""
    site.configure(plugins=plugins, use_directory_urls=directory_urls)
    site.write({"index.md": "# Home\n" + shown("harbour"), "deep/er/two.md": "# Two\n" + shown("lamp")})

    figures = [figure for each in site.figures().values() for figure in each]

    assert len(figures) == 2
    for figure in figures:
        (opened,) = lightboxes(figure)
        widths = dict(figure.candidates)
        assert widths[opened] == max(widths.values()) == PICTURE[0]


def test_link_of_the_block_comes_first(site):
    """A picture that links to its full size is left to that link."""
    site.configure(plugins=["glightbox"])
    site.write({"index.md": "# Home\n" + shown("linked")})

    ((figure,),) = site.figures().values()

    assert len(figure.links) == 1
    assert lightboxes(figure) == []


def test_block_opts_out(site):
    """A block with the class `off-glb` has no lightbox; others on the page have theirs."""
    site.configure(plugins=["glightbox"])
    site.write({"index.md": "# Home\n" + shown("plain") + shown("harbour")})

    ((plain, harbour),) = site.figures().values()

    assert lightboxes(plain) == []
    assert len(lightboxes(harbour)) == 1


def test_shown_by_id(site):
    """A picture that is shown by its id opens like one of the page's own, in its widest version."""
    site.configure(plugins=["glightbox"])
    site.write({"index.md": "# Home\n" + shown("harbour"), "deep/one.md": "# One\n\n![Again](gpt-image:harbour)\n"})

    site.figures()

    (again,) = built.read(site.root / "site", "deep/one/index.html").single
    (opened,) = lightboxes(again)
    assert again.image["alt"] == "Again"
    assert dict(again.candidates)[opened] == PICTURE[0]


def test_twins(site):
    """Of a picture and its dark twin, the lightbox shows the one that readers see."""
    palette = [{"scheme": name, "toggle": {"icon": "material/eye", "name": name}} for name in ("default", "slate")]
    site.configure(plugins=[{"glightbox": {"auto_themed": True}}], theme={**THEMES["material"], "palette": palette})
    site.write({"index.md": "# Home\n" + shown("twins")})

    ((figure,),) = site.figures().values()

    assert [link["data-gallery"] for link in figure.links] == ["light", "dark"]
    assert [url.partition("#")[2] for url in lightboxes(figure)] == ["only-light", "only-dark"]
    for link, image in zip(figure.links, figure.images, strict=True):
        assert link["href"] == image["src"]


def test_any_words_survive(site):
    """The lightbox writes a page's HTML anew, and a figure survives it whatever its words are."""
    words = ["a > b", "\"quoted\" <b> & <!-- --> 'x'", "src=//example.com/x.png >", "&amp; &lt;"]
    site.configure(plugins=["glightbox"])
    site.write({"index.md": "# Home\n" + "".join(shown("lamp", alt=each, caption="1 < 2 > 0") for each in words)})

    (figures,) = site.figures().values()

    assert [figure.image["alt"] for figure in figures] == words
    assert {figure.caption for figure in figures} == {"1 < 2 > 0"}
    assert {len(figure.sources) for figure in figures} == {1}
    assert {len(lightboxes(figure)) for figure in figures} == {1}


def test_pictures_made_by_the_same_build(site, service):
    """A picture that is only made when the lightbox has seen the page opens in the version that there is."""
    shutil.rmtree(site.store)
    site.configure(
        plugins=["glightbox"], gptimage={"on_missing": "auto", "api": {"base_url": service.base_url, **FAST}}
    )
    site.write({"deep/one.md": "# One\n" + shown("harbour")})

    built_once = site.build(env=PAID)

    assert built_once.code == 0, built_once.err
    ((figure,),) = site.checked().values()
    (opened,) = lightboxes(figure)
    assert dict(figure.candidates)[opened] == PICTURE[0]
