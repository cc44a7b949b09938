"""In Material for MkDocs, and beside the plugins that come with it."""

from __future__ import annotations

import io
import shutil

import pytest
import scripted_service as gateways
from PIL import Image
from plugins import built
from plugins.plugin_sites import PAID, shown
from sites import FAST

INSTANT = ["navigation.instant", "navigation.instant.prefetch", "navigation.instant.progress", "navigation.indexes"]
PALETTE = [
    {"media": f"(prefers-color-scheme: {name})", "scheme": scheme, "toggle": {"icon": "material/eye", "name": name}}
    for name, scheme in (("light", "default"), ("dark", "slate"))
]
THEME = {"name": "material", "font": False, "features": INSTANT, "palette": PALETTE}
EXTENSIONS = [
    "admonition",
    "attr_list",
    "md_in_html",
    "pymdownx.superfences",
    {"pymdownx.tabbed": {"alternate_style": True}},
]
PAGES = {
    "index.md": "# Home\n" + shown("harbour") + shown("lamp") + shown("twins"),
    "deep/er/two.md": "# Two\n\n![Again](gpt-image:harbour)\n" + shown("linked"),
    "deep/index.md": "# Deep\n\n!!! note\n\n" + shown("plain").replace("\n", "\n    "),
}


def post(day: int, title: str, figure: str, category: str) -> str:
    return f"---\ndate: 2026-01-0{day}\ncategories: [{category}]\n---\n\n# {title}\n{figure}\n<!-- more -->\n\nRest.\n"


def offers(figure: built.Figure) -> list[tuple[str | None, int]]:
    """The (media type, number of files) that a figure offers."""
    return [(each.get("type"), len(built.candidates(each["srcset"]))) for each in (*figure.sources, figure.image)]


@pytest.mark.parametrize("directory_urls", [True, False])
def test_theme(site, directory_urls):
    """Figures are whole with instant navigation and palettes, and on the page for what is not found."""
    site.configure(theme=THEME, markdown_extensions=EXTENSIONS, use_directory_urls=directory_urls, plugins=["search"])
    site.write({**PAGES, "404.md": "# Not here\n" + shown("harbour")})

    figures = site.figures()

    assert [len(each) for each in figures.values()] == [1, 1, 1, 3]
    assert ("404.html" in figures) is not directory_urls


def test_offline(site):
    """A site for reading without a server has its figures, with relative URLs only."""
    site.configure(plugins=["offline", "search"], theme={**THEME, "features": []}, markdown_extensions=EXTENSIONS)
    site.write(PAGES)

    figures = site.figures()

    assert list(figures) == ["deep/er/two.html", "deep/index.html", "index.html"]
    assert not any(url.startswith("/") for each in figures.values() for figure in each for url in figure.urls)


def test_blog(site):
    """Every view of a blog shows the figures of its excerpts as the posts do, from where it is."""
    site.configure(plugins=[{"blog": {"pagination_per_page": 1}}], theme=THEME)
    site.write(
        {
            "blog/index.md": "# Blog\n",
            "blog/posts/one.md": post(1, "One", shown("harbour"), "Sea"),
            "blog/posts/two.md": post(2, "Two", shown("lamp", alt="Two"), "Land"),
        }
    )

    figures = site.figures()

    by_view = {path: [figure.image["alt"] for figure in each] for path, each in figures.items()}
    assert by_view == {
        "blog/2026/01/01/one/index.html": ["Boats & a <low> sun"],
        "blog/2026/01/02/two/index.html": ["Two"],
        "blog/archive/2026/index.html": ["Two"],
        "blog/archive/2026/page/2/index.html": ["Boats & a <low> sun"],
        "blog/category/land/index.html": ["Two"],
        "blog/category/sea/index.html": ["Boats & a <low> sun"],
        "blog/index.html": ["Two"],
        "blog/page/2/index.html": ["Boats & a <low> sun"],
    }


def test_excerpts_offer_what_posts_do(site):
    """The figure of an excerpt offers the formats and widths that it offers in its post."""
    site.configure(plugins=["blog"], theme=THEME)
    site.write({"blog/index.md": "# Blog\n", "blog/posts/one.md": post(1, "One", shown("harbour"), "Sea")})

    ((in_post,), (in_archive,), (in_category,), (excerpt,)) = site.figures().values()

    assert offers(in_post) == [("image/avif", 3), (None, 3)]
    assert offers(in_archive) == offers(in_category) == offers(excerpt) == offers(in_post)


def test_privacy(site, service):
    """Pictures that lie elsewhere are fetched, ours are left alone, and links in captions get their attributes."""
    site.configure(
        plugins=[{"privacy": {"links_attr_map": {"target": "_blank"}}}, "glightbox"],
        theme=THEME,
        use_directory_urls=False,
    )
    address = f"{service.origin}/images/elsewhere.png"
    caption = "By [*them*](https://example.org/them?a=1&b=2)"
    alt = f'img src="{address}" > src=//example.org/x.png'
    text = f"# Home\n\n![Elsewhere]({address})\n" + shown("harbour", caption=caption, alt=alt)
    site.write({"index.md": text, "deep/one.md": "# One\n" + shown("linked"), "404.md": "# No\n" + shown("lamp")})
    before = len(service.requests)

    figures = site.figures()

    assert [request.path for request in service.requests[before:]] == ["/images/elsewhere.png"]
    assert "assets/external/" in site.page("index.html")
    assert figures["index.html"][0].image["alt"] == alt
    assert 'target="_blank"' in site.page("index.html").partition("<figcaption>")[2].partition("</figcaption>")[0]


def noise(kind: str) -> bytes:
    """A picture that can be made smaller, and takes its time."""
    file = io.BytesIO()
    Image.effect_noise((1600, 900), 60).convert("RGB").save(file, kind, quality=98)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "ending", "order"),
    [
        ("JPEG", "jpg", "first"),
        ("JPEG", "jpg", "last"),
        pytest.param(
            "PNG",
            "png",
            "last",
            marks=pytest.mark.skipif(shutil.which("pngquant") is None, reason="needs the program pngquant"),
        ),
    ],
)
def test_optimize(site, kind, ending, order):
    """Published originals are optimised, while the store, the cache and a build without that have what was stored."""
    shutil.rmtree(site.store)
    optimize = {"optimize": {"optimize_include": [f"{built.ASSETS}/*"]}}
    plugins = ["gptimage", optimize] if order == "last" else [optimize, "gptimage"]
    site.write({"deep/one.md": "# One\n" + shown("linked")})
    with gateways.serving() as server:
        # Optimize fails when it is done with a picture before it has taken the file off a list.
        server.download = gateways.Answer(body=noise(kind))
        making = {"on_missing": "auto", "api": {"base_url": server.base_url, **FAST}}
        site.configure(plugins=plugins, theme=THEME, gptimage=making)
        optimized = site.build(env=PAID)
    assert optimized.code == 0, optimized.err
    site.checked()
    (published,) = (site.root / "site" / built.ASSETS).glob(f"*.{ending}")
    (kept,) = (site.root / ".cache/plugin/optimize" / built.ASSETS).iterdir()
    assert published.read_bytes() == kept.read_bytes()
    small = published.stat().st_size

    site.configure(theme=THEME)
    figures = site.figures()

    assert [len(each) for each in figures.values()] == [1]
    assert published.stat().st_size > small


def test_materialx(site):
    """Under the name of Material's fork, twins follow the palette; the fork cannot be installed beside Material."""
    info = site.root / "fork/fork-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fork\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[mkdocs.themes]\nmaterialx = material.templates\n")
    site.configure(theme={**THEME, "name": "materialx"})
    site.write(PAGES)

    built_once = site.build("--strict", env={"PYTHONPATH": str(info.parent)})

    assert built_once.code == 0, built_once.err
    (twins,) = (each for each in site.checked()["index.html"] if each.attributes.get("id") == "twins")
    assert [image["src"].partition("#")[2] for image in twins.images] == ["only-light", "only-dark"]
