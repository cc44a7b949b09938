"""Specs outside pages in real builds: shown by their ids, made when a page shows them, and what is wrong with one."""

from __future__ import annotations

import base64
import contextlib
import re
import signal
import subprocess
import sys
import time
from urllib.request import urlopen

import pytest
from scripted_service import KEY, picture, unused_port
from sites import FAST, Site, block, environment

ENV = {"APIMASTER_API_KEY": KEY}
IMAGE = re.compile(r"<img[^>]*>")
CATS = """\
$schema: https://example.com/specs.schema.json

tabby:
  prompt: A tabby cat
  alt: A striped cat
  size: 3:2
tom:
  prompt: A tom cat
  dark: true
"""


@pytest.fixture
def site(service, tmp_path):
    made = Site(tmp_path)
    (tmp_path / "images").mkdir()
    made.write({"index.md": "Text\n"})

    def configure(*, specs=("images/*.yml",), **options):
        made.configure(
            gptimage={"api": {"base_url": service.base_url, **FAST}, "specs": list(specs), **options},
            site_url="https://docs.example/",
        )

    made_with = (made, configure)
    configure()
    return made_with


def declare(site, text, name="cats.yml"):
    (site.root / "images" / name).write_text(text, encoding="utf-8")


def lines(finished):
    return [line for line in finished.err.splitlines() if re.match(r"(ERROR\s+-\s+)?.*\.(yml|md):", line)]


def test_a_spec_is_made_when_a_page_shows_it(site, service):
    """A spec is made once, when a page shows it, and others are not; an empty alt text is that of the spec."""
    made, _ = site
    declare(made, CATS)
    made.write({"index.md": "![](gpt-image:tabby)\n", "a/b.md": "![My own](gpt-image:tabby)\n"})
    built = made.build("--strict", env=ENV)
    again = made.build("--strict", env=ENV)

    assert (built.code, again.code) == (0, 0), built.err
    assert [submit.json["prompt"] for submit in service.of("submit")] == ["A tabby cat"]
    assert service.of("submit")[0].json["size"] == "3:2"
    (home,), (deep,) = (IMAGE.findall(made.page(path)) for path in ("index.html", "a/b/index.html"))
    assert 'alt="A striped cat"' in home
    assert 'alt="My own"' in deep
    for image, folder in ((home, "site"), (deep, "site/a/b")):
        assert (made.root / folder / re.search(r'src="([^"]*)"', image)[1]).resolve().is_file()


def test_a_spec_in_front_matter(site, service):
    """The image of a page's front matter makes a spec, too."""
    made, _ = site
    declare(made, CATS)
    made.write({"a.md": "---\nimage: gpt-image:tom\n---\n\nA\n"})
    built = made.build("--strict", env=ENV)

    assert built.code == 0, built.err
    assert [submit.json["prompt"] for submit in service.of("submit")] == ["A tom cat"]
    assert len(list((made.root / "site/assets/gptimage").glob("tom-cat-*.png"))) == 1


def test_where_a_spec_is_asked_for(site):
    """A plan names the place of the declaration, and as its use the page and the line that show it."""
    made, _ = site
    declare(made, CATS)
    made.write({"index.md": "Text\n\n![](gpt-image:tabby)\n"})
    planned = made.gptimage("plan", "--json")
    built = made.build(env=ENV)
    text = made.gptimage("check")

    assert '"page": "docs/index.md"' in planned.out
    assert '"line": 3' in planned.out
    assert built.code == 0
    assert text.code == 0
    assert "images/cats.yml:3" in made.gptimage("plan").out


def test_specs_take_styles_defaults_and_references_beside_them(site, service):
    """A spec is read like a block: with the site's styles and defaults, and local references relative to its file."""
    made, configure = site
    configure(styles={"ink": {"prompt": "{prompt}, in ink"}}, defaults={"resolution": "2k"})
    (made.root / "images/sketch.png").write_bytes(picture("PNG"))
    declare(made, "cat:\n  prompt: A cat\n  style: ink\n  image_urls: [sketch.png]\n")
    made.write({"deep/a.md": "![x](gpt-image:cat)\n"})
    built = made.build(env=ENV)
    (submit,) = service.of("submit")

    assert built.code == 0, built.err
    assert (submit.json["prompt"], submit.json["resolution"]) == ("A cat, in ink", "2k")
    assert base64.b64decode(submit.json["image_urls"][0].partition(",")[2]) == picture("PNG")


def test_problems_of_specs_and_pages_are_reported_together(site, service):
    """Mistakes in specs files, used or not, are reported with file and line, beside those of pages."""
    made, configure = site
    configure(specs=["images/*.yml", "more/**/*.yaml"], require_alt=True)
    declare(
        made,
        "one:\n  prompt: One\n  alt: x\n  size: 16:10\n"
        "two:\n  alt: x\n"
        "three:\n  prompt: Three\n  id: four\n"
        "4th:\n  prompt: Four\n  alt: x\n"
        "five:\n"
        "six: text\n"
        "seven:\n  prompt: Seven\n"
        "eight:\n  prompt: Eight\n  alt: x\n  image_urls:\n  - gone.png\n"
        "nine:\n  prompt: Nine\n  alt: x\n  image_urls: [gpt-image:eigth]\n",
    )
    declare(made, "one:\n  prompt: Again\n  alt: x\n", "more.yml")
    declare(made, "broken: [\n", "torn.yml")
    declare(made, "- a\n", "list.yml")
    (made.root / "images/latin.yml").write_bytes("caf\xe9".encode("latin-1"))
    made.write({"index.md": "![x](gpt-image:one)\n\n" + block(prompt="a", alt="x", size="0:0")})
    built, checked = made.build(env=ENV), made.gptimage("check")

    assert service.requests == []
    assert (built.code, checked.code) == (1, 1)
    for said in (
        "images/cats.yml:4: size: '16:10' is not a size; did you mean '16:9'?",
        "images/cats.yml:5: prompt: is missing",
        "images/cats.yml:9: id: is 'three' already, as the key; remove the line",
        "images/cats.yml:10: '4th' is not an id; a letter comes first, then letters, digits, '-', '_', '.' or ':'",
        "images/cats.yml:13: five: is empty, expected the fields of a block",
        "images/cats.yml:14: six: 'text' is no spec, expected the fields of a block",
        'images/cats.yml:15: alt: is missing, and this site requires it; `alt: ""` marks a decorative picture',
        "images/cats.yml:20: image_urls[0]: 'gone.png' does not exist; looked for images/gone.png",
        "images/cats.yml:25: image_urls[0]: gpt-image:eigth is not the id of a block; did you mean 'eight'?",
        "images/more.yml:1: 'one' is declared at images/cats.yml:1 as well; give one of them another id",
        "images/list.yml:1: expected ids, each with the fields of a block below it",
        "images/latin.yml: is not UTF-8: line 1 holds the byte 0xe9; save it as UTF-8",
    ):
        assert said in built.err
        assert said in checked.err
    assert "images/torn.yml:2: broken YAML" in built.err
    assert "docs/index.md:6: size: '0:0' is not a size" in built.err
    assert "gpt-image:one" not in built.err


def test_an_id_of_a_spec_and_of_a_block(site, service):
    """An id that a block and a specs file declare is an error that names both places."""
    made, _ = site
    declare(made, CATS)
    made.write({"a.md": "Text\n\n" + block(prompt="Another", id="tom") + "\n![x](gpt-image:tom)\n"})
    built = made.build(env=ENV)

    assert built.code == 1
    assert "docs/a.md:3: id: 'tom' is declared at images/cats.yml:7 as well; give one of them another id" in built.err
    assert service.requests == []


def test_an_unknown_id_is_reported_with_the_nearest_spec(site):
    """The message for an undeclared id suggests the nearest one of a specs file."""
    made, _ = site
    declare(made, CATS)
    made.write({"a.md": "![x](gpt-image:tabbi)\n\n![x](gpt-image:elephant)\n"})
    built = made.build()

    assert "docs/a.md:1: gpt-image:tabbi is not the id of a block; did you mean 'tabby'?" in built.err
    assert "docs/a.md:3: gpt-image:elephant is not the id of a block; expected the id of a block on any page, or " in (
        built.err
    )


def test_patterns(site):
    """A pattern that no file fits is a warning; one that leaves the project is an error."""
    made, configure = site
    declare(made, "")
    configure(specs=["images/*.yml", "pictures/*.yml"])
    warned, strict = made.build(), made.build("--strict")
    configure(specs=["../*.yml", "/etc/*.yml", " ", ".", "**.yml"])
    wrong = made.build()

    assert warned.code == 0
    assert "mkdocs.yml: plugins.gptimage.specs: no file fits 'pictures/*.yml'" in warned.err
    assert "images/*.yml" not in warned.err
    assert strict.code == 1
    assert wrong.err.count("is not a pattern of files below the folder of mkdocs.yml; expected one like") == 5


def test_many_specs(site):
    """A file may hold more than a block, up to a limit."""
    made, _ = site
    declare(made, "".join(f"id{number}:\n  prompt: Picture {number}\n" for number in range(1500)))
    made.write({"index.md": "![x](gpt-image:id1499)\n"})
    built = made.build()
    declare(made, "a: [" + "1," * 100_001 + "]")

    assert built.code == 0, built.err
    assert "images/cats.yml:1: more than 100000 values, aliases written out" in made.build().err


def shows(url, text):
    """Whether a page of a server has a text within half a minute."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urlopen(url, timeout=5) as answer:
            if text in answer.read().decode():
                return True
        time.sleep(0.1)
    return False


def test_a_server_watches_the_files(site):
    """A change of a specs file outside the pages is seen by a running server."""
    made, configure = site
    configure()
    declare(made, CATS)
    made.write({"index.md": "![](gpt-image:tabby)\n"})
    port = unused_port()
    command = [sys.executable, "-m", "mkdocs", "serve", "-a", f"127.0.0.1:{port}"]
    server = subprocess.Popen(
        command, cwd=made.root, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        before = shows(f"http://127.0.0.1:{port}/", 'alt="A striped cat"')
        declare(made, CATS.replace("A striped cat", "A cat in stripes"))
        after = shows(f"http://127.0.0.1:{port}/", 'alt="A cat in stripes"')
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)

    assert before
    assert after
