"""A block in a page becomes a figure in the site: real builds, the emulator on a real socket."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import tempfile
from pathlib import Path

import httpx
import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort
from sites import FAST, FIGURE, Site, block

from mkdocs_gptimage import emulator

KEY = {"APIMASTER_API_KEY": "sk-for-the-tests"}
EXAMPLE = Path(__file__).parents[2] / "example-site"


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    made.write({"index.md": "# Home\n"})
    return made


@pytest.fixture(scope="module")
def service():
    with emulator.serving(emulator.Settings(speed=200, key=KEY["APIMASTER_API_KEY"])) as base_url:
        yield base_url


def api(base_url: str) -> dict:
    return {"base_url": base_url, **FAST}


def stats(base_url: str) -> dict[str, int]:
    return httpx.get(base_url.replace("/v1", "/stats")).json()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_block_becomes_figure(site, service):
    """A page with a block ends up with a figure whose file is the stored picture."""
    site.configure(gptimage={"api": api(service)})
    site.write({"index.md": "# Home\n\n" + block(prompt="A red kite", alt="A kite", size="3:2", caption="*Up*")})

    built = site.build("--strict", env=KEY)

    assert built.code == 0, built.err
    (figure,) = site.figures("index.html")
    stem = re.search(r'src="assets/gptimage/(red-kite-[0-9a-f]{12})-', figure)[1]
    srcset = ", ".join(f"assets/gptimage/{stem}-{width}.webp {width}w" for width in (480, 960, 1440))
    colour = re.search("background-color:(#[0-9a-f]{6})", figure)[1]
    assert figure == (
        f'<figure class="gpt-image"><img class="gpt-image__img" src="assets/gptimage/{stem}-1440.webp"'
        f' srcset="{srcset}" sizes="(min-width: 48em) 44em, 100vw" width="1536" height="1024" loading="eager"'
        f' fetchpriority="high" style="background-color:{colour}" alt="A kite" decoding="async">'
        "<figcaption><em>Up</em></figcaption></figure>"
    )
    published = [path.name for path in (site.root / "site/assets/gptimage").iterdir() if path.suffix != ".css"]
    assert sorted(published) == sorted(f"{stem}-{width}.webp" for width in (480, 960, 1440))
    assert "1 picture: 0 cached, 1 generated, 0 failed" in built.err


def test_second_build_makes_no_request(site, service):
    """What is stored is neither asked for again nor needed online, and the site comes out the same."""
    site.configure(gptimage={"api": api(service)})
    site.write(
        {"index.md": block(prompt="Twice"), "a.md": block(prompt="Twice", size="1:1"), "b.md": block(prompt="b")}
    )
    before = stats(service)
    assert site.build(env=KEY).code == 0
    once = stats(service)
    first = files(site.root / "site/assets/gptimage")
    pages = ("index.html", "a/index.html", "b/index.html")
    figures = [site.figures(path) for path in pages]
    assert once["submits"] - before["submits"] == 2, "the picture on two pages is submitted once"

    site.configure(gptimage={"on_missing": "error", "api": api("http://127.0.0.1:9/v1")})
    again = site.build("--strict")

    assert again.code == 0, again.err
    assert stats(service)["submits"] == once["submits"]
    assert files(site.root / "site/assets/gptimage") == first
    assert [site.figures(path) for path in pages] == figures


def test_a_page_without_a_figure_loads_no_style_sheet(site):
    """A page whose only block is a code sample shows its text, and does not load our style sheet."""
    site.configure(gptimage={"on_missing": "error"})
    site.write({"index.md": f"````\n{block(prompt='hidden')}````\n"})

    built = site.build()

    assert built.code == 0, built.err
    assert "prompt: hidden" in site.page("index.html")
    assert "gptimage.css" not in site.page("index.html")


def test_layout_reaches_the_figure_and_its_id_is_an_anchor(site, service):
    """Class, width and link of a stored picture shape its figure, and a strict build accepts links to its id."""
    site.configure(gptimage={"api": api(service)})
    site.write({"index.md": block(prompt="Same")})
    assert site.build(env=KEY).code == 0
    before = stats(service)
    words = {"alt": "a", "caption": "c", "class": "d", "width": 300, "loading": "eager", "link": True, "id": "e"}

    site.write({"index.md": block(prompt=" Same ", **words) + "\n[there](#e)\n"})
    built = site.build("--strict", env=KEY)

    assert built.code == 0, built.err
    assert stats(service) == before
    (figure,) = site.figures("index.html")
    assert figure.startswith(
        '<figure class="gpt-image d" id="e"><a class="gpt-image__link" href="assets/gptimage/same-'
    )
    assert 'sizes="(min-width: 48em) min(300px, 44em), min(300px, 100vw)"' in figure
    assert 'style="max-width:min(100%,300px);background-color:#' in figure
    assert "no such anchor" not in built.err


@pytest.mark.parametrize("directory_urls", [True, False])
def test_urls_fit_every_page(site, service, directory_urls):
    """Figures of nested pages, with directory URLs or without, point to files that exist."""
    site.configure(gptimage={"api": api(service)}, use_directory_urls=directory_urls)
    pages = ["index.md", "one.md", "deep/er/two.md", "deep/index.md"]
    site.write(dict.fromkeys(pages, block(prompt="Everywhere", link=True)))

    assert site.build(env=KEY).code == 0

    built = [path for path in (site.root / "site").rglob("*.html") if FIGURE.search(path.read_text("utf-8"))]
    assert len(built) == len(pages)
    for path in built:
        for url in re.findall(r'(?:src|href)="([^"]*everywhere-[^"]*)"', path.read_text("utf-8")):
            assert (path.parent / url).resolve().is_file(), (path, url)


def test_all_languages_are_read_before_the_first_submit(site, service):
    """With mkdocs-static-i18n, budget and validity are those of all languages together, and `check` sees them all."""
    languages = [{"locale": "en", "default": True, "name": "English", "build": True}]
    languages.append({"locale": "de", "name": "Deutsch", "build": True})
    i18n = {"i18n": {"docs_structure": "suffix", "languages": languages}}
    site.configure(plugins=[i18n], gptimage={"budget": {"images": 1}, "api": api(service)})
    site.write({"index.md": block(prompt="English"), "index.de.md": block(prompt="Deutsch")})
    before = stats(service)

    over = site.build(env=KEY)
    site.configure(plugins=[i18n], gptimage={"api": api(service)})
    site.write({"index.de.md": block(prompt="Deutsch", size="16:10")})
    invalid = site.build(env=KEY)
    paid = stats(service)
    site.write({"index.de.md": block(prompt="Deutsch")})
    unmade = site.gptimage("check")
    built = site.build(env=KEY)

    assert over.code == 1
    assert "2 pictures are missing, more than the budget of 1 images" in over.err
    assert invalid.code == 1
    assert "docs/index.de.md:3: size: '16:10' is not a size" in invalid.err
    assert paid == before
    assert "2 new" in unmade.out
    assert built.code == 0, built.err
    assert stats(service)["submits"] == before["submits"] + 2
    assert [page for page in ("index.html", "de/index.html") if "srcset=" not in site.figures(page)[0]] == []
    assert site.gptimage("check").code == 0


@pytest.mark.parametrize("prefix", ["mkdocs_", "properdocs_"])
def test_folders_of_serve_are_never_paid_for(site, service, prefix):
    """A build into the folder that a development server makes is not a build that pays."""
    site.configure(gptimage={"api": api(service)})
    site.write({"index.md": block(prompt=prefix)})
    before = stats(service)
    folder = tempfile.mkdtemp(prefix=prefix)

    built = site.build("-d", folder, env=KEY)

    shutil.rmtree(folder)
    assert built.code == 0, built.err
    assert stats(service) == before


@pytest.mark.parametrize("ending", ["-public", ""])
def test_a_folder_that_only_looks_like_that_of_serve_is_a_build(site, service, ending):
    """A build into a folder of the user's, whatever its name, makes what is missing, and no page for development."""
    site.configure(gptimage={"api": api(service)})
    site.write({"index.md": block(prompt=f"Public {ending}")})
    folder = Path(tempfile.gettempdir(), f"mkdocs_{secrets.token_hex(4)}{ending}")
    folder.mkdir()

    built = site.build("-d", str(folder), env=KEY)
    page = (folder / "index.html").read_text()

    shutil.rmtree(folder)
    assert built.code == 0, built.err
    assert ".webp" in page
    assert "cards.js" not in page


def test_unusable_cache_is_one_line(site, service):
    """A cache that is in the way is named, without a traceback, even when every picture is stored."""
    site.configure(gptimage={"cache": "one/two", "api": api(service)})
    site.write({"index.md": block(prompt="Cache")})
    assert site.build(env=KEY).code == 0
    shutil.rmtree(site.root / "one")
    (site.root / "one").write_text("in the way", encoding="utf-8")

    built = site.build(env=KEY)

    assert built.code == 1
    assert "cannot be used" in built.err
    assert "Traceback" not in built.err


def test_disabling_takes_effect_under_serve(tmp_path, service, monkeypatch):
    """A plugin that lives on and is disabled asks for nothing of what it read before."""
    site = Site(tmp_path)
    site.configure(gptimage={"on_missing": "generate", "api": api(service)})
    site.write({"index.md": block(prompt="[fail] Not any more")})
    monkeypatch.setenv("APIMASTER_API_KEY", KEY["APIMASTER_API_KEY"])
    config = load_config(str(tmp_path / "mkdocs.yml"))
    with pytest.raises(Abort):
        build(config)
    before = stats(service)
    config.plugins["gptimage"].config.enabled = False

    build(config)

    assert stats(service) == before


def test_local_reference_is_sent_and_seen(site, service):
    """A local reference image enters the picture's identity by its bytes."""
    shutil.copy(EXAMPLE / "docs/assets/sketch.png", site.root / "docs/sketch.png")
    site.configure(gptimage={"api": api(service)})
    site.write({"sub/x.md": block(prompt="Like it", image_urls=["../sketch.png", "/sketch.png"])})

    built = site.build(env=KEY)

    assert built.code == 0, built.err
    (record,) = (json.loads(path.read_text("utf-8")) for path in site.store.glob("*/*.json"))
    first, second = record["request"]["references"]
    assert first == second
    assert first.startswith("sha256:")
    assert "size" not in record["request"]
    assert (record["image"]["width"], record["image"]["height"]) == (512, 512)


@pytest.mark.parametrize(
    ("on_missing", "env", "code", "submits"),
    [
        ("generate", KEY, 0, 1),
        ("generate", {}, 1, 0),
        ("auto", KEY, 0, 1),
        ("auto", {}, 0, 0),
        ("placeholder", KEY, 0, 0),
        ("error", KEY, 1, 0),
    ],
)
def test_on_missing(site, service, on_missing, env, code, submits):  # noqa: PLR0913 - a row of the table
    """`on_missing` decides whether a build pays, draws a card, or fails."""
    site.configure(gptimage={"on_missing": on_missing, "api": api(service)})
    site.write({"index.md": block(prompt=f"{on_missing} {len(env)}", size="16:9")})
    before = stats(service)

    built = site.build(env=env)

    assert built.code == code, built.err
    assert stats(service)["submits"] - before["submits"] == submits
    assert "Traceback" not in built.err
    if code == 0:
        (figure,) = site.figures("index.html")
        assert (".svg" in figure) == (submits == 0)
        assert 'width="1536" height="864"' in figure


def test_placeholder_warns(site):
    """A placeholder is a warning with page and line, so that a strict build fails."""
    site.configure(gptimage={"on_missing": "placeholder"})
    site.write({"index.md": "# Home\n\ntext\n\n" + block(prompt="Later & <more>")})

    built = site.build("--strict")

    assert built.code == 1
    assert re.search(r"WARNING -  docs/index.md:5: shows a placeholder: the picture [0-9a-f]{12} is missing", built.err)
    (card,) = (site.root / "site/assets/gptimage").glob("later-more-*.svg")
    assert "Later &amp; &lt;more&gt;" in card.read_text("utf-8")


def test_missing_key_names_the_variable(site):
    """Without a key, `generate` says which variable to set, and nothing else happens."""
    site.configure(gptimage={"on_missing": "generate", "api": {"key_env": "MY_API_KEY"}})
    site.write({"index.md": block(prompt="x")})

    built = site.build()

    assert built.code == 1
    assert "set the environment variable MY_API_KEY" in built.err
    assert not site.store.exists()


def test_a_build_without_a_key_names_the_variable_once(site):
    """Where `auto` shows placeholders for want of a key, one line and each card say which variable is missing."""
    site.configure(gptimage={"api": {"key_env": "MY_API_KEY"}})
    site.write({"index.md": block(prompt="one") + block(prompt="two", size="1:3"), "b.md": block(prompt="three")})
    built = site.build(env={"MY_API_KEY": "  "})
    cards = [path.read_text("utf-8") for path in (site.root / "site/assets/gptimage").glob("*.svg")]
    site.configure(gptimage={"on_missing": "placeholder", "api": {"key_env": "MY_API_KEY"}})
    asked_for = site.build()

    assert (built.code, asked_for.code) == (0, 0)
    assert ["not generated yet: no MY_API_KEY · " in card for card in cards] == [True] * 3
    assert built.err.count("MY_API_KEY") == 1
    assert "WARNING -  there is no API key: set the environment variable MY_API_KEY to have missing" in built.err
    assert "MY_API_KEY" not in asked_for.err


def test_error_mode_lists_everything(site):
    """`error` names every missing picture, and never needs a network."""
    site.configure(gptimage={"on_missing": "error", "api": api("http://127.0.0.1:9/v1")})
    site.write({"index.md": block(prompt="one") + "\n" + block(prompt="two"), "x.md": block(prompt="three")})

    built = site.build(env=KEY)

    assert built.code == 1
    for where in ("docs/index.md:1", "docs/index.md:5", "docs/x.md:1"):
        assert f"{where}: the picture " in built.err


def test_emulated_pictures_are_pointed_out_to_real_sites(site):
    """A site that leaves the emulator is warned that its stored pictures are the emulator's."""
    site.configure(gptimage={"api": {"base_url": "emulator", **FAST}})
    site.write({"index.md": block(prompt="Emulated")})
    assert site.build("--strict").code == 0

    site.configure(gptimage={})
    built = site.build()

    assert built.code == 0
    assert "1 of the pictures were drawn by the emulator, the first at docs/index.md:1" in built.err


def test_disabled_plugin_leaves_code(site):
    """`enabled: false` leaves the fences as code, and costs nothing."""
    site.configure(gptimage={"enabled": False, "api": {"base_url": "emulator"}})
    site.write({"index.md": block(prompt="Not now")})

    assert site.build("--strict").code == 0

    assert "prompt: Not now" in site.page("index.html")
    assert not site.store.exists()


def test_rebuilt_site_does_not_reach_the_store(site, service):
    """A neighbour that edits the site's files in place changes neither the store nor the next build."""
    site.configure(gptimage={"api": api(service)})
    site.write({"index.md": block(prompt="Linked")})
    assert site.build(env=KEY).code == 0
    (stored,) = site.store.glob("*/*.png")
    original = stored.read_bytes()
    published = min((site.root / "site/assets/gptimage").glob("*.webp"))
    rendition = published.read_bytes()

    with published.open("r+b") as file:
        file.write(b"optimized")

    assert stored.read_bytes() == original
    assert site.build().code == 0
    assert published.read_bytes() == rendition


def test_example_site(tmp_path):
    """The example site builds with the emulator, shows a picture for every block, and is complete afterwards."""
    shutil.copytree(EXAMPLE, tmp_path / "example", ignore=shutil.ignore_patterns("site", ".cache"))
    example = Site(tmp_path / "example")
    committed = set(files(EXAMPLE / "gptimage"))

    built = example.build("--strict")

    assert built.code == 0, built.err
    assert committed <= set(files(example.store))
    figures = [
        figure for path in (example.root / "site").rglob("*.html") for figure in FIGURE.findall(path.read_text())
    ]
    assert len(figures) > 20
    assert all(
        re.search(r'src="[^"]*\.webp(#only-light)?"[^>]*? width="\d+" height="\d+"', figure) for figure in figures
    )
    stored = files(example.store)
    again = example.build("--strict")
    assert "submitted" not in again.err
    assert files(example.store) == stored
    assert example.gptimage("check").code == 0
