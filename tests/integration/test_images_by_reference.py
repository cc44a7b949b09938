"""Pictures that are drawn from pictures of other blocks, in real builds: `image_urls: [gpt-image:ID]`."""

from __future__ import annotations

import base64
import re

import pytest
from paying_service import PayingService
from scripted_service import KEY, fails
from sites import FAST, Site, block

from mkdocs_gptimage.blocks.fence import Block
from mkdocs_gptimage.catalog.collector import UseCollector
from mkdocs_gptimage.catalog.ids import LONGEST_CHAIN, Declaration
from mkdocs_gptimage.catalog.location import Location, Source
from mkdocs_gptimage.catalog.spec_files import SpecFiles
from mkdocs_gptimage.spec.model import SiteDefaults
from mkdocs_gptimage.spec.parse import parse_block
from mkdocs_gptimage.spec.references import ReferenceResolver

ENV = {"APIMASTER_API_KEY": KEY}
SRC = re.compile(r'<img[^>]*\ssrc="([^"#]*)')


@pytest.fixture
def paying_service(service):
    return PayingService(service, honours_keys=False)


@pytest.fixture
def site(service, tmp_path):
    made = Site(tmp_path)

    def configure(*, plugins=None, options=None, **changes):
        api = {"base_url": service.base_url, **FAST}
        made.configure(plugins=plugins, gptimage={"api": api, **(options or {})}, **changes)

    configure()
    return made, configure


def drawn(prompt, *parents, **fields):
    """A block that is drawn from the pictures with these ids."""
    return block(prompt=prompt, image_urls=[f"gpt-image:{parent}" for parent in parents], **fields)


def files_of(made, path):
    """The files that the images of a page name in `src`, which have to be there."""
    folder = (made.root / "site" / path).parent
    found = [(folder / src).resolve() for src in SRC.findall(made.page(path))]
    assert all(file.is_file() for file in found), found
    return [file.name for file in found]


def sent(service):
    """Prompt → the reference images of its submit."""
    return {
        submit.json["prompt"]: [base64.b64decode(uri.partition(",")[2]) for uri in submit.json.get("image_urls", [])]
        for submit in service.of("submit")
    }


def test_a_chain_is_drawn_in_its_order(site, service, paying_service):
    """Whatever the order of the pages, each picture is drawn from those that it names, once, and shown by its file."""
    made, _ = site
    made.write(
        {
            "a.md": drawn("Third", "second", "first"),
            "b/c.md": drawn("Second", "first", id="second", caption="*Two*", link=True),
            "index.md": block(prompt="First", id="first") + "\n![](gpt-image:second)\n",
        }
    )
    built = made.build("--strict", env=ENV)
    again = made.build("--strict", env=ENV)
    pictures = {each.prompt: paying_service.picture(each.task_id) for each in paying_service.payments}

    assert (built.code, again.code) == (0, 0), built.err
    assert [each.prompt for each in paying_service.payments] == ["First", "Second", "Third"]
    assert sent(service) == {
        "First": [],
        "Second": [pictures["First"]],
        "Third": [pictures["Second"], pictures["First"]],
    }
    assert [name.split("-")[0] for name in files_of(made, "a/index.html")] == ["third"]
    assert [name.split("-")[0] for name in files_of(made, "index.html")] == ["first", "second"]
    assert re.search(r'href="[./]*assets/gptimage/second-[0-9a-f]{12}\.png"', made.page("b/c/index.html"))
    assert "gpt-image:" not in "".join(path.read_text() for path in (made.root / "site").rglob("*.html"))


def test_parents_with_twins_and_twins_of_children(site, service, paying_service):
    """A child is drawn from the light picture of its parent, and its own twin from itself."""
    made, configure = site
    configure(theme={"name": "material"})
    made.write(
        {
            "a.md": drawn("Child", "parent", dark={"prompt": "Child by night"}),
            "b.md": block(prompt="Parent", id="parent", dark={"prompt": "Parent by night"}),
        }
    )
    built = made.build("--strict", env=ENV)
    pictures = {each.prompt: paying_service.picture(each.task_id) for each in paying_service.payments}
    found = sent(service)

    assert built.code == 0, built.err
    assert found["Child"] == found["Parent by night"] == [pictures["Parent"]]
    assert found["Child by night"] == [pictures["Child"]]
    assert len(set(files_of(made, "a/index.html"))) == 2
    assert made.page("a/index.html").count("#only-dark") == 1


def test_parents_in_specs_files(site, service, paying_service):
    """A picture may be drawn from one of a specs file, which no page shows, and that from one of a page."""
    made, configure = site
    configure(options={"specs": ["specs.yml"], "styles": {"like": {"image_urls": ["gpt-image:middle"]}}})
    (made.root / "specs.yml").write_text(
        "middle:\n  prompt: Middle\n  image_urls: [gpt-image:first]\nunused:\n  prompt: Unused\n", encoding="utf-8"
    )
    made.write({"a.md": block(prompt="Last", style="like"), "b.md": block(prompt="First", id="first")})
    built = made.build("--strict", env=ENV)
    planned = made.gptimage("plan", "--json")
    pictures = {each.prompt: paying_service.picture(each.task_id) for each in paying_service.payments}

    assert built.code == planned.code == 0, built.err
    assert sent(service) == {"First": [], "Middle": [pictures["First"]], "Last": [pictures["Middle"]]}
    assert "Middle" not in planned.out


def test_what_is_drawn_from_specs_only_is_known_at_once(tmp_path):
    """A figure whose ancestors are all in specs files is written with its final name, before other pages are read."""
    references = ReferenceResolver(tmp_path, tmp_path)

    def read(text):
        return parse_block(text, SiteDefaults(), lambda entry: references.resolve(entry, tmp_path))

    specs = {"one": "prompt: One", "two": "prompt: Two\nimage_urls: [gpt-image:one]"}
    declared = {
        name: Declaration(name, "s.yml", read(text), lambda _: Location("s.yml")) for name, text in specs.items()
    }
    collector = UseCollector(SpecFiles(specs=declared))
    source = Source("docs/a.md", str, "gpt-image")
    known, other = (read(f"prompt: Child\nimage_urls: [gpt-image:{name}]") for name in ("two", "block"))
    for parsed in (known, other):
        collector.add(source, Block("", ""), parsed, is_late=False)
    completed, pending = (use.parsed for use in collector.uses)

    assert [parent.prompt for parent in completed.spec.parents] == ["Two"]
    assert completed.pending_references == ()
    assert pending is other


def test_a_failed_parent_fails_its_children_by_name(site, service, paying_service):
    """A picture drawn from one that fails is not submitted, and its message names the parent; the rest is made."""
    made, _ = site
    accept = service.submit
    service.submit = lambda request: fails(400, "no") if request.json["prompt"] == "Bad" else accept(request)
    made.write(
        {
            "a.md": drawn("Child", "bad", id="child") + drawn("Grandchild", "child"),
            "b.md": block(prompt="Bad", id="bad") + block(prompt="Good"),
        }
    )
    built = made.build(env=ENV)

    assert built.code == 1
    assert [each.prompt for each in paying_service.payments] == ["Good"]
    for child, parent in ((r"a\.md:1", r"b\.md:1"), (r"a\.md:7", r"a\.md:1")):
        said = rf"docs/{child}: not submitted: its reference, the picture [0-9a-f]{{12}} at docs/{parent},"
        assert re.search(said, built.err)


def test_a_stored_child_needs_no_parent(site, paying_service):
    """When a child is in the store, a parent that no page shows is not made again."""
    made, configure = site
    configure(options={"specs": ["specs.yml"]})
    (made.root / "specs.yml").write_text("parent:\n  prompt: Parent\n", encoding="utf-8")
    made.write({"index.md": drawn("Child", "parent")})
    first = made.build("--strict", env=ENV)
    parents = [path for path in made.store.rglob("*.json") if '"Parent"' in path.read_text()]
    for path in parents:
        path.with_suffix(".png").unlink()
        path.unlink()
    again = made.build("--strict", env=ENV)

    assert (first.code, again.code, len(parents)) == (0, 0, 1), again.err
    assert paying_service.paid() == {"Parent": 1, "Child": 1}


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ({"a.md": drawn("A", "a", id="a")}, "docs/a.md:4: image_urls[0]: gpt-image:a is drawn from itself: a → a"),
        (
            {"a.md": drawn("A", "b", id="a"), "b.md": drawn("B", "c", id="b") + drawn("C", "a", id="c")},
            "docs/b.md:8: image_urls[0]: gpt-image:a is drawn from itself: a → b → c → a",
        ),
        (
            {"a.md": drawn("X", "a"), "b.md": drawn("A", "b", id="a"), "c.md": drawn("B", "a", id="b")},
            "docs/c.md:3: image_urls[0]: gpt-image:a is drawn from itself: a → b → a",
        ),
    ],
)
def test_a_circle_is_one_error(site, service, pages, said):
    """Pictures that are drawn from each other in a circle are one error, which prints the circle; nothing is paid."""
    made, _ = site
    made.write(pages)
    built, checked = made.build(env=ENV), made.gptimage("check")

    assert (built.code, checked.code) == (1, 1)
    assert service.requests == []
    for finished in (built, checked):
        messages = [line for line in finished.err.splitlines() if "image_urls" in line]
        assert [line[line.index("docs/") :].rpartition(":")[2] for line in messages] == [said.rpartition(":")[2]]
        assert messages[0][messages[0].index("image_urls") :] == said[said.index("image_urls") :]


def test_ids_that_mean_nothing(site, service):
    """An unknown parent, and one that means several pictures, are reported with page, line and entry."""
    made, _ = site
    made.write(
        {
            "a.md": "Text\n\n" + drawn("A", "ovl"),
            "b.md": block(prompt="One", id="owl"),
            "c.md": block(prompt="Two", id="owl") + "\n" + drawn("Mine", "owl"),
            "d.md": block(prompt="D", image_urls=["https://example.com/a.png", "gpt-image:owl"]),
        }
    )
    built = made.build(env=ENV)

    assert built.code == 1
    assert service.requests == []
    assert "docs/a.md:5: image_urls[0]: gpt-image:ovl is not the id of a block; did you mean 'owl'?" in built.err
    assert "docs/d.md:3: image_urls[1]: gpt-image:owl is declared for different pictures on" in built.err
    assert built.err.count("image_urls[") == 2


def test_a_chain_has_an_end(site, service):
    """A chain of more pictures than anybody needs is an error."""
    made, _ = site
    chain = [drawn(f"P{number}", f"p{number + 1}", id=f"p{number}") for number in range(LONGEST_CHAIN + 5)]
    made.write({"index.md": "".join(chain) + block(prompt="Last", id=f"p{len(chain)}")})
    built = made.build(env=ENV)

    assert built.code == 1
    assert f"ends a chain of more than {LONGEST_CHAIN} pictures" in built.err
    assert service.requests == []


def test_many_ways_from_a_child_to_an_ancestor(site, service):
    """A lattice, in which the ways to an ancestor double with each generation, is planned at once."""
    made, _ = site
    rows = [
        drawn(f"P{level}{side}", *(f"p{level + 1}{parent}" for parent in "ab"), id=f"p{level}{side}")
        for level in range(LONGEST_CHAIN - 5)
        for side in "ab"
    ]
    last = [block(prompt=f"Last {side}", id=f"p{LONGEST_CHAIN - 5}{side}") for side in "ab"]
    made.write({"index.md": "\n".join([*rows, *last])})
    planned = made.gptimage("plan", "--json")
    generated = made.gptimage("generate", "--yes", "--only", "p0a", "--limit", "0", env=ENV)

    assert planned.code == 1, planned.err
    assert planned.out.count('"prompt"') == 2 * (LONGEST_CHAIN - 4)
    assert "Traceback" not in generated.err
    assert service.of("submit") == []


@pytest.mark.parametrize("on_missing", ["placeholder", "error"])
def test_without_generating(site, service, on_missing):
    """A child that may not be made is a card, or listed; one that is in the store is shown as it is."""
    made, configure = site
    made.write(
        {
            "index.md": block(prompt="Parent", id="parent"),
            "a.md": drawn("Child", "parent", link=True),
        }
    )
    configure(options={"on_missing": on_missing})
    before = made.build()
    cards = made.page("a/index.html") if on_missing == "placeholder" else ""
    configure()
    made.build(env=ENV)
    paid = len(service.of("submit"))
    configure(options={"on_missing": on_missing})
    after = made.build("--strict")

    assert paid == 2
    if on_missing == "placeholder":
        assert before.code == 0
        assert re.findall(r'(?:src|href)="[./]*assets/gptimage/(child-[0-9a-f]{12}\.svg)"', cards)
    else:
        assert before.code == 1
        assert "docs/a.md:1: the picture" in before.err
    assert after.code == 0, after.err
    assert [name.endswith(".webp") for name in files_of(made, "a/index.html")] == [True]


def test_the_page_for_not_found(site, paying_service):
    """404.html is shown at any depth, so the URL of its figure starts at the site's root."""
    made, configure = site
    configure(site_url="https://docs.example/manual/", use_directory_urls=False)
    made.write({"404.md": drawn("Lost", "parent"), "index.md": block(prompt="Parent", id="parent")})
    built = made.build("--strict", env=ENV)
    (lost,) = SRC.findall(made.figures("404.html")[0])

    assert built.code == 0, built.err
    assert lost.startswith("/manual/assets/gptimage/lost-")
    assert (made.root / "site" / lost.removeprefix("/manual/")).is_file()
    assert paying_service.paid() == {"Parent": 1, "Lost": 1}


def test_excerpts_of_a_blog(site, paying_service):
    """An excerpt that Material renders again on another page shows the same file from there."""
    made, configure = site
    configure(
        plugins=["search", "blog"],
        theme={"name": "material"},
        nav=[{"Home": "index.md"}, {"Blog": "blog/index.md"}],
    )
    made.write(
        {
            "index.md": block(prompt="Parent", id="parent"),
            "blog/index.md": "# Blog\n",
            "blog/posts/one.md": "---\ndate: 2026-01-01\n---\n\n# One\n\n"
            + drawn("Child", "parent")
            + "\n<!-- more -->\n\nX\n",
        }
    )
    built = made.build("--strict", env=ENV)

    assert built.code == 0, built.err
    assert files_of(made, "blog/index.html") == files_of(made, "blog/2026/01/01/one/index.html")
    assert paying_service.paid() == {"Parent": 1, "Child": 1}


def test_beside_plugins_that_copy_figures(site, paying_service):
    """A lightbox and a print page, which take the name of the file early, end with the one that is there."""
    made, configure = site
    configure(plugins=["search", "glightbox", "print-site"], nav=[{"A": "a.md"}, {"B": "index.md"}])
    made.write({"a.md": drawn("Child", "parent", dark=True), "index.md": block(prompt="Parent", id="parent")})
    built = made.build(env=ENV)
    site_folder = made.root / "site"

    assert built.code == 0, built.err
    for path in ("a/index.html", "print_page/index.html"):
        named = set(re.findall(r'assets/gptimage/([^"#\s]*)', made.page(path)))
        assert any(name.startswith("child-") for name in named)
        assert all((site_folder / "assets/gptimage" / name).is_file() for name in named)
    assert paying_service.paid()["Child"] == 1


def test_in_several_languages(site, paying_service):
    """Each language means its own pages, all of them are read before the first picture is paid for, and checked."""
    made, configure = site
    languages = [{"locale": "en", "default": True, "name": "English"}, {"locale": "de", "name": "Deutsch"}]
    configure(plugins=[{"i18n": {"docs_structure": "suffix", "languages": languages}}])
    made.write(
        {
            "index.md": block(prompt="Parent", id="parent"),
            "a.md": drawn("Child", "parent"),
            "index.de.md": block(prompt="Elternbild", id="parent"),
            "a.de.md": drawn("Kind", "parent"),
        }
    )
    built = made.build("--strict", env=ENV)
    checked = made.gptimage("check")

    assert built.code == 0, built.err
    assert checked.code == 0, checked.err
    assert "4 pictures" in checked.out
    assert paying_service.paid() == {"Parent": 1, "Child": 1, "Elternbild": 1, "Kind": 1}
    assert [name.split("-")[0] for name in files_of(made, "de/a/index.html")] == ["kind"]
