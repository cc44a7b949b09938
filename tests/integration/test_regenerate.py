"""`gptimage regenerate`: a stored picture drawn anew, paid for once, and replaced only by what is there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pty
import re
import subprocess
import sys
import time

import pytest
from scripted_service import KEY, Answer, fails, picture, says, task
from sites import FAST, Site, block, environment

from mkdocs_gptimage.maintenance.candidates import take_candidate
from mkdocs_gptimage.plan.orphans import find_orphans, parse_candidate
from mkdocs_gptimage.spec.model import ImageSpec
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.store.store import Store

ENV = {"APIMASTER_API_KEY": KEY}
CAT = ImageSpec("A cat")
NEW = picture(size=(48, 48))


@pytest.fixture
def site(tmp_path, service):
    """A site whose pictures are stored, and a service that draws others from now on."""
    made = Site(tmp_path)
    configure(made, service.base_url)
    made.write({"index.md": block(prompt="A cat", id="cat"), "other.md": block(prompt="A dog", id="dog")})
    done = made.gptimage("generate", env=ENV)
    assert done.code == 0, done.err
    service.requests.clear()
    service.download = Answer(body=NEW)
    return made


def configure(site, url, **options):
    api = {"base_url": url, "timeout": 20, **FAST}
    site.configure(gptimage={"api": api, "prices": {"1k": 0.25}, **options})


def sha256_of(site, digest=CAT.digest):
    return Store(site.store).get(digest).image.sha256


def waiting(site):
    return [orphan.digest for orphan in find_orphans(Store(site.store), ()) if orphan.candidate_of == CAT.digest]


def test_a_picture_is_replaced(site, service):
    """The new picture takes the digest, the request and the place of the old one; nothing else is left or paid."""
    before = Store(site.store).request(CAT.digest)

    done = site.gptimage("regenerate", "cat", env=ENV)

    assert done.code == 0, done.err
    assert len(service.of("submit")) == 1
    assert sha256_of(site) == hashlib.sha256(NEW).hexdigest()
    assert Store(site.store).request(CAT.digest) == before
    assert isinstance(Store(site.store).verify(CAT.digest), Entry)
    assert Store(site.store).get(CAT.digest).made.task_id is not None
    assert len(Store(site.store).digests()) == 2
    assert "Making 1 picture ($0.25)" in done.err
    assert f"docs/index.md:1: {CAT.digest[:12]} is the new picture, gptimage/" in done.out
    assert site.gptimage("check").code == 0


def test_an_address_never_shows_two_pictures(site):
    """The files of a replaced picture have new names; those of another keep theirs."""
    assert site.build(env=ENV).code == 0
    before = {path.name for path in site.root.glob("site/assets/gptimage/*.webp")}
    site.gptimage("regenerate", "cat", env=ENV)
    assert site.build(env=ENV).code == 0
    after = {path.name for path in site.root.glob("site/assets/gptimage/*.webp")}

    assert {name[:4] for name in before & after} == {"dog-"}
    assert {name[:4] for name in before ^ after} == {"cat-"}
    assert {name for name in after if name in site.page("index.html")} == {name for name in after if name[:4] == "cat-"}


def test_the_service_does_not_learn_of_candidates(site, service):
    """What is sent for a candidate is what was sent for its picture."""
    site.gptimage("regenerate", CAT.digest[:8], env=ENV)

    assert service.of("submit")[0].json["prompt"] == "A cat"
    assert "variant" not in service.of("submit")[0].json


@pytest.mark.parametrize(("options", "count"), [(["--keep"], 1), (["--candidates", "3"], 3)])
def test_candidates_wait_for_a_decision(site, service, options, count):
    """With --keep or --candidates the old picture stays until one is accepted, which removes the others."""
    old = sha256_of(site)

    done = site.gptimage("regenerate", *options, "cat", env=ENV)

    assert done.code == 0, done.err
    assert len(service.of("submit")) == count
    assert sha256_of(site) == old
    taken = re.findall(r"'gptimage regenerate --accept ([0-9a-f]{12})' takes it", done.out)
    assert sorted(taken) == sorted(digest[:12] for digest in waiting(site))
    assert site.gptimage("regenerate", "--accept", taken[0]).code == 0
    assert sha256_of(site) == hashlib.sha256(NEW).hexdigest()
    assert waiting(site) == []
    assert len(service.of("submit")) == count


def test_numbers_go_on(site, service):
    """A candidate beside others gets the next number, and is paid for; the others are not paid for again."""
    for _ in range(2):
        assert site.gptimage("regenerate", "--keep", "cat", env=ENV).code == 0

    found = [parse_candidate(orphan.request) for orphan in find_orphans(Store(site.store), ())]
    assert {(1, CAT.digest), (2, CAT.digest)} <= set(found)
    assert len(service.of("submit")) == 2


def test_undecided_candidates_stop_a_replacement(site, service):
    """While a candidate waits, no other picture is paid for and the old one stays: the message names the commands."""
    site.gptimage("regenerate", "--keep", "cat", env=ENV)
    old = sha256_of(site)

    done = site.gptimage("regenerate", "cat", env=ENV)

    assert done.code == 1
    assert f"candidates that are paid for: {waiting(site)[0][:12]}" in done.err
    assert len(done.lines) == 1
    assert (len(service.of("submit")), sha256_of(site)) == (1, old)


@pytest.mark.parametrize("name", ["candidate", "picture"])
def test_candidates_are_discarded(site, name):
    """--discard deletes a candidate, or all of a picture, and nothing else."""
    site.gptimage("regenerate", "--candidates", "2", "cat", env=ENV)
    digests = {"candidate": waiting(site)[0], "picture": CAT.digest}

    done = site.gptimage("regenerate", "--discard", digests[name][:12])

    assert done.code == 0, done.err
    assert len(waiting(site)) == (1 if name == "candidate" else 0)
    assert isinstance(Store(site.store).verify(CAT.digest), Entry)


def test_an_interrupted_run_is_found_again(site, service):
    """A candidate in flight is collected by the next `regenerate`, and replaces the picture, without a new submit."""
    finished = service.batch
    service.batch = lambda request: says({"data": [task(each, "processing") for each in request.json["task_ids"]]})
    configure(site, service.base_url, api={"base_url": service.base_url, **FAST, "timeout": 1})
    late = site.gptimage("regenerate", "cat", env=ENV)
    assert (late.code, waiting(site)) == (1, [])
    service.batch = finished

    done = site.gptimage("regenerate", "cat", env=ENV)

    assert done.code == 0, done.err
    assert len(service.of("submit")) == 1
    assert sha256_of(site) == hashlib.sha256(NEW).hexdigest()


def test_generate_collects_what_was_interrupted(site, service):
    """`generate` collects a candidate that is in flight; it waits in the store, and the old picture is shown."""
    old = sha256_of(site)
    finished = service.batch
    service.batch = lambda request: says({"data": [task(each, "processing") for each in request.json["task_ids"]]})
    configure(site, service.base_url, api={"base_url": service.base_url, **FAST, "timeout": 1})
    site.gptimage("regenerate", "cat", env=ENV)
    service.batch = finished

    done = site.gptimage("generate", env=ENV)

    assert done.code == 0, done.err
    assert len(waiting(site)) == 1
    assert (sha256_of(site), len(service.of("submit"))) == (old, 1)


def test_an_unknown_outcome_is_not_repeated(site, service):
    """A candidate whose submit has an unknown outcome is named, and submitted again only with --retry-unknown."""
    accepts = service.submit
    service.submit = fails(500)
    assert site.gptimage("regenerate", "cat", env=ENV).code == 1
    service.submit = accepts
    sent = len(service.of("submit"))

    done = site.gptimage("regenerate", "cat", env=ENV)

    assert done.code == 1
    assert "'gptimage regenerate --retry-unknown' does" in done.out
    assert len(service.of("submit")) == sent
    assert site.gptimage("regenerate", "--retry-unknown", "cat", env=ENV).code == 0
    assert sha256_of(site) == hashlib.sha256(NEW).hexdigest()


def test_a_refusal_leaves_the_old_picture(site, service):
    """When the new picture cannot be had, the old one stays."""
    old = sha256_of(site)
    service.submit = fails(400, "not this prompt")

    done = site.gptimage("regenerate", "cat", env=ENV)

    assert done.code == 1
    assert "not this prompt" in done.out
    assert sha256_of(site) == old


def test_the_budget_counts(site, service):
    """Candidates count against the budget, and nothing is submitted above it."""
    configure(site, service.base_url, budget={"images": 2})

    done = site.gptimage("regenerate", "--candidates", "3", "cat", env=ENV)

    assert done.code == 1
    assert "more than the budget of 2" in done.err
    assert service.of("submit") == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["catt"],
            2,
            "an id or a digest of a picture that the site asks for; did you mean 'cat'?",
        ),
        (["--accept", CAT.digest[:12]], 2, "expected the digest of a candidate: there are none"),
        (["--accept", "--keep", "cat"], 2, "exclude each other"),
    ],
)
def test_wrong_names(site, service, arguments, code, message):
    """An unknown name is reported, with the nearest one, before anything is paid."""
    done = site.gptimage("regenerate", *arguments, env=ENV)

    assert done.code == code
    assert message in done.err
    assert service.of("submit") == []


def test_a_picture_that_is_not_stored(site, service):
    """What was never made is left to `generate`."""
    site.write({"index.md": block(prompt="A bird", id="bird")})

    done = site.gptimage("regenerate", "bird", env=ENV)

    assert done.code == 1
    assert "is not in the store yet; 'gptimage generate' makes it" in done.err
    assert service.of("submit") == []


def test_output_as_json(site):
    """--json names what was replaced, and the candidates that wait."""
    kept = json.loads(site.gptimage("regenerate", "--json", "--keep", "cat", env=ENV).out)["regenerated"][0]
    dog = json.loads(site.gptimage("regenerate", "--json", "dog", env=ENV).out)["regenerated"][0]

    assert (kept["digest"], kept["replaced"]) == (CAT.digest, False)
    assert [each["number"] for each in kept["candidates"]] == [1]
    assert dog["replaced"]


def test_what_was_drawn_from_the_replaced_picture_is_named(site):
    """A dark twin stays what it was, and is named with the command that draws it anew."""
    site.write({"index.md": block(prompt="A cat", id="cat", dark={"prompt": "A cat by night"})})
    site.gptimage("generate", env=ENV)

    done = site.gptimage("regenerate", "cat", env=ENV)

    assert re.search(r"\(dark\): ([0-9a-f]{12}) was drawn from the previous .* 'gptimage regenerate \1'", done.out)


@pytest.mark.parametrize("step", ["picture", "record", "candidate"])
def test_a_crash_while_a_candidate_is_taken(site, monkeypatch, step):
    """Wherever a process dies while it takes a candidate, taking it again ends well, and no picture is lost."""
    site.gptimage("regenerate", "--keep", "cat", env=ENV)
    (name,) = waiting(site)
    store = Store(site.store)
    candidate = store.get(name)
    old = store.get(CAT.digest)
    if step == "picture":
        old.path.write_bytes(candidate.path.read_bytes())
    elif step == "record":
        (orphan,) = [each for each in find_orphans(store, ()) if each.digest == name]
        with monkeypatch.context() as patched:
            patched.setattr(Store, "remove", lambda *_: None)
            take_candidate(orphan, store, site.root / ".cache" / "gptimage")
    else:
        old.path.with_suffix(".json").unlink()

    done = site.gptimage("regenerate", "--accept", name)

    assert done.code == 0, done.err
    assert isinstance(Store(site.store).verify(CAT.digest), Entry)
    assert sha256_of(site) == hashlib.sha256(NEW).hexdigest()
    assert waiting(site) == []


def test_two_at_a_time_pay_for_one_candidate_once(site, service):
    """The second of two runs that draw one picture waits for the first, then submits nothing, and fails."""
    is_done = []
    service.batch = lambda request: says(
        {"data": [service.finished(each) if is_done else task(each, "processing") for each in request.json["task_ids"]]}
    )
    first = started(site, "regenerate", "cat")
    await_lines(first, "submitted")
    second = started(site, "regenerate", "cat")
    await_lines(second, "waits for another run")
    is_done.append(True)
    ends = [process.communicate(timeout=60) for process in (first, second)]
    said = "".join(ends[1])

    assert (first.returncode, second.returncode) == (0, 1)
    assert len(service.of("submit")) == 1
    assert "paid for" not in said
    assert "nothing is paid" not in said.lower()
    assert "overtaken: another 'gptimage regenerate' has just drawn it" in said
    assert "look at the picture first" in said


def test_a_candidate_that_is_gone_at_the_end_is_a_problem(site, service):
    """When another command deletes what was paid for before it is taken, that is reported, and the exit code is 1."""
    is_done = []
    first = []

    def batch(request):
        names = sorted(request.json["task_ids"])
        first.extend(names[:1] if not first else [])
        return says(
            {
                "data": [
                    service.finished(each) if each in first or is_done else task(each, "processing") for each in names
                ]
            }
        )

    service.batch = batch
    run = started(site, "regenerate", "cat", "dog")
    await_lines(run, "stored")
    stored = [orphan.digest for orphan in find_orphans(Store(site.store), ()) if orphan.candidate_of]
    assert len(stored) == 1
    assert site.gptimage("regenerate", "--discard", stored[0]).code == 0
    is_done.append(True)
    out, said = run.communicate(timeout=60)

    assert run.returncode == 1
    assert f"stored in this run and not there any more: candidate {stored[0][:12]}" in said
    assert out.count("is the new picture") == 1


def test_prune_leaves_a_run_its_candidates(site):
    """What a run that goes on has stored just now is no candidate for `prune`."""
    site.gptimage("regenerate", "--keep", "cat", env=ENV)
    (name,) = waiting(site)

    done = site.gptimage("prune", "--apply")

    assert f"{name[:12]}  candidate" in done.out
    assert waiting(site) == [name]


def started(site, *arguments):
    command = [sys.executable, "-c", "from mkdocs_gptimage.cli import main; main()", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=site.root, env=environment(ENV), **pipes)


def await_lines(process, words):
    """Read what a process says until it says this."""
    until = time.monotonic() + 60
    while words not in (line := process.stderr.readline()):
        assert line
        assert time.monotonic() < until


@pytest.mark.parametrize("arguments", [[], ["--keep"], ["--candidates", "2"]])
def test_one_that_waits_at_its_question_does_not_pay_again(site, service, arguments):
    """When the picture was drawn anew while a second command asked whether to, the answer yes pays for nothing."""
    controller, terminal = pty.openpty()
    command = [sys.executable, "-c", "from mkdocs_gptimage.cli import main; main()", "regenerate", *arguments, "cat"]
    with subprocess.Popen(
        command, cwd=site.root, env=environment(ENV), stdin=terminal, stdout=terminal, stderr=terminal
    ) as waiting_one:
        os.close(terminal)
        said = b""
        while b"[y/N]" not in said:
            said += os.read(controller, 4096)
        assert site.gptimage("regenerate", "cat", env=ENV).code == 0
        drawn = sha256_of(site)
        os.write(controller, b"y\n")
        with contextlib.suppress(OSError):  # the terminal is closed
            while more := os.read(controller, 4096):
                said += more
    os.close(controller)

    assert waiting_one.returncode == 1
    assert len(service.of("submit")) == 1
    assert b"has been replaced meanwhile; nothing is paid, look at it first" in said
    assert sha256_of(site) == drawn
    assert waiting(site) == []
