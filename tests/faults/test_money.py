"""The nine rules of money, one test for each: real builds in processes of their own, a real service on loopback."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys

import httpx
import nested_builds
import pytest
import scripted_service as gateways
import sites
from scripted_service import Answer, accepts, fails, says, task
from sites import block
from waits import until

KEY = {"APIMASTER_API_KEY": gateways.KEY}
HIDDEN = block(prompt="hidden")
SAMPLES = (
    f"<!--\n{HIDDEN}-->\n\n````\n{HIDDEN}````\n\n<pre>\n{HIDDEN}</pre>\n\n/// html | template\n\n{HIDDEN}\n///\n\n"
)
WITNESS = """
from pathlib import Path

def on_page_content(html, page, config, files):
    folder = Path(config.config_file_path).parent / "read"
    folder.mkdir(exist_ok=True)
    (folder / page.file.src_uri).write_text("")
"""
READERS = {
    "plan": [],
    "check": [],
    "list": [],
    "prune": [],
    "gallery": [],
    "generate": ["missing"],
    "regenerate stored": ["stored"],
}
"""Commands that read a site of `nested_builds`, and the prompts that each pays for."""
PATIENCE = 30.0
"""Seconds after which a test that waits has failed."""


@pytest.fixture
def site(service, tmp_path):
    made = sites.Site(tmp_path)
    configure(made, service)
    return made


def configure(site, service, *, api=None, **options):
    """A site of this service; `gptimage` options can be changed, and those of MkDocs under `mkdocs`."""
    mkdocs = options.pop("mkdocs", {})
    site.configure(gptimage={"api": {"base_url": service.base_url, **sites.FAST, **(api or {})}, **options}, **mkdocs)


def submits(service):
    """The prompts that were submitted, in order."""
    return [request.json["prompt"] for request in service.of("submit")]


def records(site):
    """The records of the store, by prompt."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in site.store.glob("*/*.json")]
    return {record["request"]["prompt"]: record for record in found}


@contextlib.contextmanager
def running(site, *arguments):
    """An `mkdocs` that goes on while the test looks at it, and is killed at the end."""
    with subprocess.Popen(
        [sys.executable, "-m", "mkdocs", *arguments],
        cwd=site.root,
        env=sites.environment(KEY),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def unfinished(request):
    return says({"data": [task(each, "processing") for each in request.json["task_ids"]]})


@pytest.mark.parametrize(
    ("last", "options", "said"),
    [
        ({"prompt": "z", "size": "16:10"}, {}, "docs/z.md:3: size: '16:10' is not a size"),
        ({"prompt": "z"}, {"budget": {"images": 2}}, "3 pictures are missing, more than the budget of 2 images"),
        ({"prompt": "z"}, {}, ""),
    ],
    ids=["spec", "budget", "pages"],
)
def test_rule_1_all_is_read_and_checked_before_the_first_submit(service, site, last, options, said):
    """Nothing is submitted before every page of the site is read, every spec is valid and the plan fits the budget."""
    (site.root / "witness.py").write_text(WITNESS)
    configure(site, service, **options, mkdocs={"hooks": ["witness.py"]})
    site.write({"index.md": block(prompt="a"), "m.md": block(prompt="m"), "z.md": block(**last)})
    read = []

    def submit(request):
        read.append(sorted(path.name for path in (site.root / "read").iterdir()))
        return accepts(f"t-{request.json['prompt']}")

    service.submit = submit
    built = site.build(env=KEY)

    assert read == ([] if said else [["index.md", "m.md", "z.md"]] * 3)
    assert said in built.err
    assert (built.code == 0) == (said == "")


def test_rule_2_one_picture_is_paid_for_once(service, site):
    """One picture is paid for once: across pages, builds, crashes, and builds that run at the same time."""
    site.write({"index.md": block(prompt="one") * 2, "b.md": block(prompt="one", alt="the same")})
    usual, service.batch = service.batch, unfinished
    with running(site, "build") as killed:
        until(lambda: service.of("batch"), PATIENCE)
        killed.send_signal(signal.SIGKILL)
        killed.wait(20)
    service.batch = lambda request: usual(request) if len(service.of("batch")) > 8 else unfinished(request)
    with running(site, "build", "-d", "first") as first, running(site, "build", "-d", "second") as second:
        said = [process.communicate(timeout=60)[1] for process in (first, second)]
    third = site.build(env=KEY)

    assert [first.returncode, second.returncode, third.code] == [0, 0, 0], said
    assert submits(service) == ["one"]
    assert len(list(site.store.glob("*/*.png"))) == 1


def test_rule_3_an_unknown_outcome_is_never_submitted_again_on_its_own(service, site):
    """A submit whose outcome is unknown is never repeated on its own."""
    site.write({"index.md": block(prompt="one")})
    service.submit = [Answer(vanish=True), accepts("t1")]
    builds = [site.build(env=KEY) for _ in range(2)]
    paid = submits(service)
    asked = site.gptimage("generate", "--retry-unknown", env=KEY)

    assert [built.code for built in builds] == [1, 1]
    assert all("'gptimage generate --retry-unknown' does" in built.err for built in builds)
    assert paid == ["one"]
    assert (asked.code, submits(service)) == (0, ["one", "one"])


def test_rule_4_what_was_accepted_is_collected(service, site):
    """What was accepted is collected, whatever happens to the others: before the build fails, or in the next run."""
    configure(site, service, api={"max_requests": 1, "timeout": 2})
    site.write({"index.md": "\n".join(block(prompt=prompt) for prompt in ("late", "soon", "bad", "never"))})
    answers = [accepts("t-late"), accepts("t-soon"), fails(400, "no"), fails(402, "no balance")]
    service.submit = answers
    usual = service.batch
    service.batch = lambda _: says({"data": [service.finished("t-soon"), task("t-late", "processing")]})
    first = site.build(env=KEY)
    kept = set(records(site))
    service.batch, service.submit = usual, [accepts("t-bad"), accepts("t-never")]
    second = site.build(env=KEY)

    assert (first.code, kept) == (1, {"soon"}), first.err
    assert (second.code, set(records(site))) == (0, {"late", "soon", "bad", "never"}), second.err
    assert submits(service) == ["late", "soon", "bad", "never", "bad", "never"]


@pytest.mark.parametrize(
    ("on_missing", "arguments", "paid"),
    [("auto", [], []), ("auto", ["--clean"], []), ("generate", [], ["one"])],
    ids=["not asked", "not asked, clean", "asked"],
)
def test_rule_5_serve_pays_only_when_asked(service, site, on_missing, arguments, paid):
    """`serve` pays only when asked."""
    configure(site, service, on_missing=on_missing)
    site.write({"index.md": block(prompt="one")})
    port = gateways.unused_port()

    def page():
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{port}/").text
        return ""

    with running(site, "serve", "-a", f"127.0.0.1:{port}", *arguments):
        first = until(page, PATIENCE)
        site.write({"index.md": block(prompt="one") + "\nchanged\n"})
        second = until(lambda: "changed" in (shown := page()) and shown, PATIENCE)
        third = until(lambda: ".webp" in (shown := page()) and shown, PATIENCE) if paid else second

    # The server is there at once, with a card.
    assert ("one-" in first, ".webp" in first) == (True, False)
    assert (".webp" in third) == bool(paid)
    assert submits(service) == paid


@pytest.mark.parametrize("fences", [[], ["pymdownx.superfences"]], ids=["plain", "superfences"])
def test_rule_6_a_block_that_no_reader_sees_costs_nothing(service, site, fences):
    """A block that no reader sees (comment, code sample, draft) costs nothing."""
    mkdocs = {
        "draft_docs": "draft.md",
        "exclude_docs": "no.md",
        "markdown_extensions": ["pymdownx.blocks.html", *fences],
    }
    configure(site, service, mkdocs=mkdocs)
    indented = "".join(f"    {line}\n" for line in HIDDEN.splitlines())
    seen = block(prompt="seen")
    site.write({"index.md": f"{seen}\n{SAMPLES}text\n\n{indented}", "draft.md": HIDDEN, "no.md": HIDDEN})
    built = site.build(env=KEY)

    assert built.code == 0, built.err
    assert submits(service) == ["seen"]


def test_rule_7_words_that_the_picture_does_not_depend_on_cost_nothing(service, site):
    """Changing words that the picture does not depend on (alt, caption, layout) costs nothing."""
    site.write({"index.md": block(prompt="one"), "other.md": "Text\n"})
    first = site.build(env=KEY)
    before = service.counts()
    words = {"alt": "a", "caption": "*c*", "class": "d", "width": 300, "loading": "eager", "link": True, "id": "e"}
    site.write({"index.md": "Text\n", "other.md": "More\n\n" + block(**words, prompt=" one ", size="1:1", n=1)})
    second = site.build(env=KEY)

    assert (first.code, second.code) == (0, 0), second.err
    assert submits(service) == ["one"]
    assert service.counts() == before
    assert 'alt="a"' in site.figures("other/index.html")[0]


def test_rule_8_what_was_paid_is_written_down(service, site):
    """What was paid is written down, with its cost where the service states it."""
    site.write({"index.md": block(prompt="priced") + "\n" + block(prompt="unpriced", resolution="2k")})
    service.submit = lambda request: accepts(f"t-{request.json['prompt']}")
    service.batch = lambda request: says(
        {
            "data": [
                {**service.finished(each), **({"cost": 0.0085} if each == "t-priced" else {})}
                for each in request.json["task_ids"]
            ]
        }
    )
    built = site.build(env=KEY)
    made = {prompt: record["made"] for prompt, record in records(site).items()}

    assert {prompt: (each["task_id"], each["cost_usd"]) for prompt, each in made.items()} == {
        "priced": ("t-priced", 0.0085),
        "unpriced": ("t-unpriced", None),
    }
    assert all(each["gateway"] == "127.0.0.1" and each["at"].endswith("Z") for each in made.values())
    assert "2 pictures: 0 cached, 2 generated, 0 failed, $0.0085 for 1 of them" in built.err


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A store that has one of the two pictures of a site with a nested one."""
    with gateways.serving() as service:
        nested = nested_builds.Nested(tmp_path_factory.mktemp("stored"), service.base_url)
        nested.configure()
        made = nested.site.gptimage("generate", "--only", "stored", env=KEY)
    assert records(nested.site).keys() == {"stored"}, made.err
    return nested.site.store


@pytest.mark.parametrize("neighbour", nested_builds.NEIGHBOURS)
@pytest.mark.parametrize("command", READERS)
def test_rule_9_looking_never_pays(service, tmp_path, stored, command, neighbour):
    """No command pays for a site that is built while it reads its own, whoever builds it and in which process."""
    nested = nested_builds.Nested(tmp_path, service.base_url)
    nested.configure(neighbour)
    shutil.copytree(stored, nested.site.store)
    done = nested.site.gptimage(*command.split(), env=KEY)
    paid = READERS[command]

    assert submits(service) == paid, done.err
    assert bool(service.requests) == bool(paid)
    assert "Traceback" not in done.err
    assert done.code == (1 if command in ("plan", "check") else 0), done.err
    assert nested.written() == {"read.txt"}
