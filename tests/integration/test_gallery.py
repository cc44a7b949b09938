"""The gallery shows every picture with what is known of it, in one file that needs nothing else."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
from galleries import CANDIDATES, CAT, EDITED, HILL, HOSTILE, OLD, PREVIOUS, TORN, URL, data, put, survey, written
from harness import catalog, settings
from PIL import Image
from sites import FAST, Site, block, run

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.gallery.items import Status, gallery_items, limit_items
from mkdocs_gptimage.gallery.page import render_page, write_gallery
from mkdocs_gptimage.plan.orphans import find_orphans
from mkdocs_gptimage.plan.plan import decide
from mkdocs_gptimage.plan.status import SiteStatus
from mkdocs_gptimage.spec.model import ImageSpec, reference_to
from mkdocs_gptimage.store.snapshot import StoreSnapshot
from mkdocs_gptimage.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def shown(path: Path) -> dict[str, dict]:
    """What a gallery tells of each picture, by digest."""
    return {picture["digest"]: picture for picture in data(path.read_text("utf-8"))["pictures"]}


def test_every_state_in_the_order_of_the_pages(tmp_path):
    """Pictures stand in the order of the pages, what may replace or was replaced behind its picture, the rest last."""
    found = gallery_items(survey(tmp_path))

    items = [(each.request["prompt"], each.status.value) for each in found]
    assert items[:10] == [
        (CAT.prompt, "used"),
        (CAT.prompt, "candidate"),
        (CAT.prompt, "candidate"),
        (HOSTILE, "used"),
        (HILL.prompt, "used"),
        (EDITED.prompt, "missing"),
        (PREVIOUS.prompt, "outdated"),
        ("A tower", "in flight"),
        ("A bridge", "unknown"),
        (TORN.prompt, "broken"),
    ]
    assert sorted(items[10:]) == [(OLD.prompt, "orphaned"), ("An unclaimed picture", "in flight")]
    assert {each.status for each in found} == set(Status)


def test_every_state_has_its_item(tmp_path):
    """A picture comes with prompt, size, cost, date and places; a candidate with its number and its picture."""
    found = shown(written(tmp_path))

    cat = found[CAT.digest]
    assert (cat["prompt"], cat["shape"], cat["resolution"]) == (CAT.prompt, "1:1", "1k")
    assert (cat["width"], cat["height"], cat["format"]) == (610, 400, "png")
    assert (cat["cost"], cat["at"], cat["service"]) == (0.01, "2026-11-01T09:30:00Z", "api.example")
    assert cat["places"] == [{"page": "docs/index.md", "line": 1, "role": ""}]
    assert [(found[spec.digest]["number"], found[spec.digest]["of"]) for spec in CANDIDATES] == [
        (1, CAT.digest),
        (2, CAT.digest),
    ]
    assert (found[EDITED.digest]["price"], found[EDITED.digest]["detail"]) == (0.25, "changed: prompt")
    assert found[PREVIOUS.digest]["of"] == EDITED.digest
    assert "bytes" in found[TORN.digest]["detail"]


def test_what_the_emulator_drew_cost_nothing(tmp_path):
    """A cost that the emulator made up does not count as money spent."""
    old = shown(written(tmp_path))[OLD.digest]

    assert (old["cost"], old["is_emulated"]) == (None, True)


def test_thumbnails_are_inside_and_originals_beside(tmp_path):
    """A thumbnail is a small WebP inside the page; the large picture is the stored file, by a relative address."""
    path = written(tmp_path)
    cat = shown(path)[CAT.digest]

    with Image.open(io.BytesIO(base64.b64decode(cat["thumb"].removeprefix("data:image/webp;base64,")))) as thumbnail:
        assert (thumbnail.format, thumbnail.width) == ("WEBP", 400)
    original = path.parent / unquote(cat["full"])
    assert original.resolve() == (tmp_path / "gptimage" / CAT.digest[:2] / f"{CAT.digest}.png").resolve()


def test_thumbnails_are_made_once(tmp_path):
    """The second gallery takes the thumbnails of the first one from the cache."""
    first = written(tmp_path).read_text("utf-8")
    made = {file: file.stat().st_mtime_ns for file in tmp_path.glob(".cache/web/*.webp")}
    second = written(tmp_path).read_text("utf-8")

    assert made
    assert first == second
    assert {file: file.stat().st_mtime_ns for file in tmp_path.glob(".cache/web/*.webp")} == made


def test_damaged_bytes_are_found(tmp_path):
    """A stored picture whose bytes are not those of its record is shown as broken, without its picture."""
    found = survey(tmp_path)
    picture = tmp_path / "gptimage" / HILL.digest[:2] / f"{HILL.digest}.png"
    content = bytearray(picture.read_bytes())
    content[-20] ^= 1
    picture.write_bytes(content)
    target = tmp_path / "page.html"
    write_gallery(target, gallery_items(found), [], settings(tmp_path, URL))

    hill = shown(target)[HILL.digest]
    assert (hill["state"], hill["thumb"], hill["full"]) == ("broken", "", "")
    assert "are not those of its record" in hill["detail"]


def test_hostile_texts_stay_texts(tmp_path):
    """A prompt that is written to break out of the page is data in it, whole and unchanged."""
    text = written(tmp_path).read_text("utf-8")

    assert text.count("<script") == 2
    assert "pwned=1<" not in text
    assert HOSTILE in [picture["prompt"] for picture in data(text)["pictures"]]
    titled = render_page("</title><script>pwned=1</script>", [], ["docs/a.md:1: </script>"])
    assert titled.count("<script") == 2
    assert data(titled)["problems"] == ["docs/a.md:1: </script>"]


def test_nothing_comes_from_elsewhere(tmp_path):
    """The page names no address outside of it, and its policy forbids whatever it does not carry itself."""
    text = written(tmp_path).read_text("utf-8").replace(HOSTILE, "")

    assert not re.search(r"https?:", re.sub(r'<script type="application/json".*?</script>', "", text, flags=re.DOTALL))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy


def test_a_record_may_hold_anything(tmp_path):
    """A forged record, with lists where texts belong, is shown and breaks nothing."""
    store = Store(tmp_path / "gptimage")
    spec = ImageSpec("x")
    odd = {"v": 1, "prompt": ["no text"], "size": None, "references": "none", "variant": {"a": 1}}
    spec.__dict__["canonical"] = odd
    put(store, spec, 3, 0.1)
    found = SiteStatus(decide(catalog(), StoreSnapshot(store), base_url=URL), find_orphans(store, ()))
    target = tmp_path / "page.html"
    write_gallery(target, gallery_items(found), [], settings(tmp_path, URL))

    (picture,) = shown(target).values()
    assert (picture["prompt"], picture["references"], picture["state"]) == ("['no text']", [], "orphaned")


def test_roles_of_dark_twins_and_references(tmp_path):
    """A picture that only another one needs is shown with its role, such as "reference"."""
    parent = ImageSpec("A parent")
    child = ImageSpec("A child", references=(reference_to(parent),))
    store = Store(tmp_path / "gptimage")
    put(store, parent, 1, None)
    put(store, child, 2, None)
    plan = decide(catalog(child), StoreSnapshot(store), base_url=URL)
    found = gallery_items(SiteStatus(plan))

    assert [(each.request["prompt"], each.status, each.places[0].role) for each in found] == [
        ("A parent", Status.USED, "reference"),
        ("A child", Status.USED, ""),
    ]


def test_a_folder_in_place_of_the_file(tmp_path):
    """A folder of the gallery's name is an error that names it, and nothing is left beside it."""
    (tmp_path / "page.html").mkdir()
    with pytest.raises(ConfigurationError, match=r"the gallery '.*page.html' cannot be written"):
        write_gallery(tmp_path / "page.html", [], [], settings(tmp_path, URL))

    assert not list(tmp_path.glob("*.part"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A site that the emulator has drawn pictures for."""
    made = Site(tmp_path_factory.mktemp("drawn"))
    cat = block(prompt=CAT.prompt, alt="", id="cat")
    made.write({"index.md": f"# Home\n\n{cat}\n", "guide/cats.md": f"# Cats\n\nMore of it:\n\n{cat}\n"})
    made.configure(gptimage={"api": {"base_url": "emulator", **FAST}, "output": {"widths": [480, 960]}})
    assert made.gptimage("generate").code == 0
    return made


@pytest.fixture
def site(drawn, tmp_path):
    """A copy of that site."""
    shutil.copytree(drawn.root, tmp_path, dirs_exist_ok=True)
    return Site(tmp_path)


def test_command(site):
    """`gptimage gallery` writes a page into the cache and says where; `-o` says where to, folders included."""
    done = site.gptimage("gallery")
    other = site.gptimage("gallery", "-o", "out/of/here.html")

    assert (done.code, done.out.strip()) == (0, str(site.root / ".cache/gptimage/gallery.html"))
    (cat,) = shown(site.root / ".cache/gptimage/gallery.html").values()
    assert [(place["page"], place["line"]) for place in cat["places"]] == [
        ("docs/index.md", 3),
        ("docs/guide/cats.md", 5),
    ]
    assert other.code == 0
    (moved,) = shown(site.root / "out/of/here.html").values()
    assert (site.root / "out/of" / moved["full"]).resolve().is_file()


def test_pages_that_show_it_by_id(site):
    """Pages that show a picture by its id are among its places, of blocks and of specs files."""
    (site.root / "more.yml").write_text(f"also:\n  prompt: {HILL.prompt}\n", encoding="utf-8")
    text = (
        (site.root / "mkdocs.yml").read_text("utf-8").replace("- gptimage:\n", "- gptimage:\n    specs: [more.yml]\n")
    )
    (site.root / "mkdocs.yml").write_text(text, encoding="utf-8")
    site.write({"last.md": "# Last\n\n![A cat](gpt-image:cat)\n\n![](gpt-image:also)\n"})
    assert site.gptimage("gallery").code == 0

    found = shown(site.root / ".cache/gptimage/gallery.html")
    last = {"page": "docs/last.md", "role": "by id"}
    assert found[CAT.digest]["places"][-1] == {**last, "line": 3}
    assert found[HILL.digest]["places"] == [{**last, "line": 5}]
    assert found[HILL.digest]["state"] == "missing"


def test_command_opens_it(site):
    """`--open` shows the page in the browser that the system names."""
    (site.root / "browser").write_text('#!/bin/sh\nprintf %s "$1" > "$(dirname "$0")/opened"\n', encoding="utf-8")
    (site.root / "browser").chmod(0o755)
    done = site.gptimage("gallery", "--open", env={"BROWSER": f"{site.root}/browser %s"})

    assert done.code == 0
    assert (site.root / "opened").read_text("utf-8") == (site.root / ".cache/gptimage/gallery.html").as_uri()


def test_command_with_problems(site):
    """Blocks with problems are shown on the page and in the terminal, and the command exits with 1."""
    site.write({"bad.md": block(prompt="x", size="16:10")})
    done = site.gptimage("gallery")

    shown = data((site.root / ".cache/gptimage/gallery.html").read_text("utf-8"))
    assert (done.code, len(shown["pictures"])) == (1, 1)
    assert shown["problems"] == ["docs/bad.md:3: size: '16:10' is not a size; did you mean '16:9'?"]
    assert shown["problems"][0] in done.err


def test_no_site_publishes_it_by_default(site):
    """Without the option, a built site has no gallery, and its prompts are nowhere but in alternative texts."""
    assert site.build().code == 0

    assert not list((site.root / "site").rglob("gallery*"))


@pytest.mark.parametrize("directory_urls", [True, False])
def test_published(site, directory_urls):
    """`gallery: true` publishes what pages show with the site's own files and links to the pages, and no costs."""
    text = (site.root / "mkdocs.yml").read_text("utf-8").replace("- gptimage:\n", "- gptimage:\n    gallery: true\n")
    (site.root / "mkdocs.yml").write_text(f"{text}use_directory_urls: {directory_urls}\n", encoding="utf-8")
    built = site.build()
    assert built.code == 0, built.err

    path = site.root / "site/assets/gptimage/gallery/index.html"
    (cat,) = shown(path).values()
    assert re.fullmatch(r"\.\./cat-on-windowsill-[0-9a-f]{12}-480\.webp", cat["thumb"])
    assert all((path.parent / cat[name]).is_file() for name in ("thumb", "full"))
    pages = [urlsplit(place["href"]) for place in cat["places"]]
    assert [each.fragment for each in pages] == ["cat", "cat"]
    for each, name in zip(pages, ("index", "guide/cats"), strict=True):
        target = path.parent / each.path / ("index.html" if directory_urls else "")
        expected = f"{name}/index.html" if directory_urls and name != "index" else f"{name}.html"
        assert target.resolve() == (site.root / "site" / expected).resolve()
    assert (cat["cost"], cat["price"], cat["service"]) == (None, None, "")


def test_only_a_gallery_is_overwritten(tmp_path):
    """`-o` replaces a gallery, or with `--force` any file, but nothing else: no link, no pipe, no file of others."""
    site = Site(tmp_path)
    site.configure(gptimage={"api": {"base_url": "emulator", **FAST}})
    site.write({"index.md": "# Home"})
    (tmp_path / "theirs.html").write_text('<!doctype html>\n<html lang="en">')
    (tmp_path / "link.html").symlink_to("theirs.html")
    os.mkfifo(tmp_path / "pipe")
    refused = [site.gptimage("gallery", "-o", name) for name in ("theirs.html", "link.html", "pipe", "mkdocs.yml")]
    refused += [site.gptimage("gallery", "--force", "-o", name) for name in ("link.html", "pipe")]
    theirs = (tmp_path / "theirs.html").read_text()
    written = [site.gptimage("gallery", "-o", *of) for of in (("new.html",), ("new.html",), ("theirs.html", "--force"))]

    assert [done.code for done in refused] == [2] * 6
    assert all("name another file with '-o'" in done.err and done.out == "" for done in refused)
    assert theirs == '<!doctype html>\n<html lang="en">'
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "mkdocs.yml").read_text().startswith("site_name")
    assert [done.code for done in written] == [0] * 3
    assert "Pictures of" in (tmp_path / "theirs.html").read_text()


def test_a_page_has_room_for_the_newest(tmp_path):
    """Beyond the limit the oldest orphans are left out, then the oldest of the rest, and never what is not stored."""
    found = gallery_items(survey(tmp_path))
    stored = [each for each in found if each.entry]
    orphans = [each for each in stored if each.status is Status.ORPHANED]
    without_orphans = limit_items(found, len(stored) - len(orphans))
    two = [each for each in limit_items(found, 2) if each.entry]

    assert limit_items(found, len(stored)) == found
    assert [each for each in found if each not in without_orphans] == orphans
    assert len(two) == 2
    assert len(limit_items(found, 0)) == len(found) - len(stored)


LIMITED = """
from mkdocs_gptimage.cli import gallery, main
gallery._MOST, gallery._STEP = 30, 10
main()
"""


def test_many_pictures_are_limited_and_told(tmp_path):
    """Of more pictures than a page has room for, the newest are shown, with progress, and all with --all."""
    site = Site(tmp_path)
    site.configure(gptimage={"api": {"base_url": "emulator", **FAST}})
    site.write({"index.md": "# Home"})
    for number in range(40):
        put(Store(site.store), ImageSpec(f"orphan {number}"), 1 + number % 28, 0.01)
    every = run("-c", LIMITED, "gallery", "-o", "g.html", "--all", cwd=tmp_path)
    of_every = shown(tmp_path / "g.html")
    some = run("-c", LIMITED, "gallery", "-o", "g.html", cwd=tmp_path)
    of_some = shown(tmp_path / "g.html")

    assert (some.code, every.code) == (0, 0), some.err + every.err
    assert (len(of_some), len(of_every)) == (30, 40)
    left_out = [each["at"] for digest, each in of_every.items() if digest not in of_some]
    assert max(left_out) <= min(each["at"] for each in of_some.values())
    assert "16 of 30 pictures" in some.err
    assert "10 older pictures left out, orphans first; 'gptimage gallery --all' shows all" in some.err
    assert "left out" not in every.err
