"""Pictures that are drawn from other pictures, dark twins among them: their order, their failures, their price."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import anyio
import harness
import httpx
import pytest
import sites
from factories import put
from harness import Site, steps
from scripted_service import KEY, Answer, accepts, fails, picture, says, task

from mkdocs_gptimage.blocks.fence import Block
from mkdocs_gptimage.catalog.catalog import Catalog, Use
from mkdocs_gptimage.catalog.location import Source
from mkdocs_gptimage.errors import BudgetError, MissingPicturesError
from mkdocs_gptimage.fs import read_regular_file
from mkdocs_gptimage.generate import request_bodies
from mkdocs_gptimage.generate.job import Outcome
from mkdocs_gptimage.generate.ready_queue import ReadyQueue
from mkdocs_gptimage.generate.result import RunResult
from mkdocs_gptimage.generate.step import Step
from mkdocs_gptimage.journal.journal import open_journal
from mkdocs_gptimage.journal.lease import hold_lease
from mkdocs_gptimage.journal.snapshot import JournalSnapshot
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.plan.messages import require_all
from mkdocs_gptimage.plan.plan import collect_only, decide, with_unknown_as_missing
from mkdocs_gptimage.plan.states import State
from mkdocs_gptimage.plan.status import SiteStatus
from mkdocs_gptimage.report.as_json import status_json
from mkdocs_gptimage.report.as_text import status_text
from mkdocs_gptimage.settings import Budget
from mkdocs_gptimage.spec import references
from mkdocs_gptimage.spec.model import ImageSpec, SiteDefaults, reference_to
from mkdocs_gptimage.spec.parse import parse_block
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.store.record import ImageFacts, Provenance
from mkdocs_gptimage.store.snapshot import StoreSnapshot
from mkdocs_gptimage.store.store import Store

TWINS = {"prompt": "a cat", "dark": {"prompt": "a cat by night"}}
SKETCH = ImageSpec("a sketch")
"""A picture that no page shows."""
PAINTING = {"prompt": "a painting", "image_urls": [SKETCH.digest]}
FINISHED = Entry("", None, ImageFacts("0" * 64, 1, 1, 1, "png"), Provenance("", "", None, 1.0, None))


def pages(*blocks, **others):
    """A catalog of a page with these blocks, and of others; a digest in `image_urls` stands for another picture."""
    known = {SKETCH.digest: SKETCH}
    found = Catalog()
    for name, fields in {"index": blocks, **others}.items():
        bodies = [f"{json.dumps(each)}\n" for each in fields]
        text = "".join(f"```gpt-image\n{body}```\n" for body in bodies)
        source = Source(f"docs/{name}.md", lambda text=text: text, "gpt-image")
        for body in bodies:
            reading = parse_block(body, SiteDefaults(), lambda digest: reference_to(known[digest]))
            assert reading.spec is not None, reading.problems
            known[reading.spec.digest] = reading.spec
            found.add(Use(source, Block(body, body), 0, reading))
    return found


class Studio:
    """Scripts a service that knows its tasks by their prompts."""

    def __init__(self, service):
        self.service = service
        self.prompts = {}
        self.answers = {}
        """Prompt → the answer to its submit, or a function of the request."""
        self.fates = {}
        """Prompt → the state of its task, or a function that says whether it is finished."""
        service.submit, service.batch = self._submit, self._batch

    def _submit(self, request):
        prompt = request.json["prompt"]
        answer = self.answers.get(prompt)
        answer = answer(request) if callable(answer) else answer
        if answer is not None:
            return answer
        task_id = f"t{len(self.prompts)}"
        self.prompts[task_id] = prompt
        return accepts(task_id)

    def _batch(self, request):
        return says({"data": [self._task(task_id) for task_id in request.json["task_ids"]]})

    def _task(self, task_id):
        fate = self.fates.get(self.prompts[task_id], True)
        if callable(fate):
            fate = fate() or "processing"
        return self.service.finished(task_id) if fate is True else task(task_id, fate, error="no")

    @property
    def submitted(self):
        return [request.json["prompt"] for request in self.service.of("submit")]


@pytest.fixture
def studio(service):
    return Studio(service)


@pytest.fixture
def folder():
    """A folder in memory where there is such: the journal waits for the disk more than for anything else."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture
def make_site(service, folder):
    def make(*blocks, api=None, others=None, **changes):
        return Site(harness.settings(folder, service.base_url, api=api, **changes), pages(*blocks, **(others or {})))

    return make


@pytest.fixture(scope="module", autouse=True)
def _quick():
    """One set of certificates for all runs: loading it takes longer than all the rest."""
    context = httpx.create_ssl_context()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx, "create_ssl_context", lambda **_: context)
        yield


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    with harness.fast_production(monkeypatch):
        yield


def data_uri(data):
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


# The catalog.


def test_a_dark_twin_is_asked_for_where_its_block_stands():
    """Both pictures of a block are in the catalog, the light one first, and messages tell them apart."""
    _, light, dark = pages({"prompt": "a dog"}, TWINS).pictures.values()

    assert (light.spec.prompt, dark.spec.prompt) == ("a cat", "a cat by night")
    assert (light.where, dark.where) == ("docs/index.md:4", "docs/index.md:4 (dark)")
    assert dark.uses[0].dark == dark.spec
    assert dark.parents == (light,)
    assert (light.is_shown, dark.is_shown) == (True, True)


def test_parents_come_first_and_are_marked_as_parents():
    """What only another picture needs is in the catalog before it, and knows the block that needs it."""
    sketch, painting = pages(PAINTING).pictures.values()

    assert (sketch.spec, painting.parents) == (SKETCH, (sketch,))
    assert (sketch.is_shown, painting.is_shown) == (False, True)
    assert sketch.where == "docs/index.md:1 (reference)"
    assert [use.where() for use in sketch.uses] == ["docs/index.md:1"]


def test_a_parent_that_a_page_shows_is_named_by_that_page():
    """A picture that is shown as well as needed is one picture, known by the block that shows it."""
    found = pages(PAINTING, PAINTING, sketches=[{"prompt": "a sketch"}]).pictures

    assert [each.where for each in found.values()] == ["docs/sketches.md:1", "docs/index.md:1"]
    assert len(found[SKETCH.digest].uses) == 1
    assert len(found[SKETCH.digest].needed_by) == 2


# The plan.


def plan(catalog, *stored, submissions=(), prices=None):
    """A plan with these digests in the store."""
    known = {submission.digest: submission for submission in submissions}
    found = {**dict.fromkeys(catalog.pictures), **dict.fromkeys(stored, FINISHED)}
    return decide(
        catalog, StoreSnapshot(None, found), JournalSnapshot(known), prices=prices or {}, base_url="https://a"
    )


def submission(of, stage=Stage.ACCEPTED):
    task_id = "t1" if stage is Stage.ACCEPTED else None
    return Submission(of.digest, stage, "https://a", "k", 0.0, task_id, request=of.canonical)


def test_a_stored_picture_needs_no_parents():
    """What only a stored picture was drawn from is neither missing, nor paid for, nor an error."""
    catalog = pages(PAINTING)
    _, painting = catalog.pictures
    needed, satisfied = plan(catalog), plan(catalog, painting)

    assert [row.digest for row in needed.rows] == list(catalog.pictures)
    assert [row.state for row in satisfied.rows] == [State.CACHED]
    assert satisfied.is_complete
    assert require_all(satisfied) is None


def test_a_shown_parent_is_needed_by_its_readers():
    """A light picture that is gone is missing, although its dark twin is in the store."""
    catalog = pages(TWINS)
    light, dark = catalog.pictures

    assert [row.state for row in plan(catalog, dark).rows] == [State.MISSING, State.CACHED]
    with pytest.raises(MissingPicturesError, match=light[:12]):
        require_all(plan(catalog, dark))


def test_needs_are_handed_on():
    """A missing picture needs its parents, and those that are missing need theirs."""
    middle = ImageSpec("b", references=(reference_to(SKETCH),))
    last = ImageSpec("c", references=(reference_to(middle),))
    catalog = harness.catalog(last)
    digests = [SKETCH.digest, middle.digest, last.digest]

    assert list(catalog.pictures) == digests
    assert [row.digest for row in plan(catalog).rows] == digests
    assert [row.digest for row in plan(catalog, middle.digest).rows] == digests[1:]
    assert [row.digest for row in plan(catalog, last.digest).rows] == digests[2:]


def test_a_parent_in_flight_that_nothing_needs_is_collected():
    """What is paid for is collected, also when the picture that needed it is there."""
    catalog = pages(PAINTING)
    _, painting = catalog.pictures
    needed, spare = (
        plan(catalog, submissions=[submission(SKETCH)]),
        plan(catalog, painting, submissions=[submission(SKETCH)]),
    )

    assert (needed.count(State.IN_FLIGHT), needed.unclaimed) == (1, ())
    assert (spare.count(State.IN_FLIGHT), [each.digest for each in spare.unclaimed]) == (0, [SKETCH.digest])
    assert [each.digest for each in collect_only(needed).unclaimed] == [SKETCH.digest]


def test_a_picture_that_is_tried_again_needs_its_parents_again():
    """Nothing is made for a picture with an unknown outcome, until it is to be submitted again."""
    catalog = pages(PAINTING)
    _, painting = catalog.pictures.values()
    before = plan(catalog, submissions=[submission(painting.spec, Stage.UNKNOWN)], prices={"1k": 1.0})
    after = with_unknown_as_missing(before, {"1k": 1.0})

    assert [row.state for row in before.rows] == [State.UNKNOWN]
    assert [row.state for row in after.rows] == [State.MISSING, State.MISSING]
    assert (before.price, after.price) == (0, 2.0)


def test_a_plan_shows_and_prices_both(make_site):
    """The plan has a line for each twin, with the line of the block, and costs what both cost."""
    site = make_site(TWINS, prices={"1k": 0.25})
    lines = status_text(SiteStatus(site.plan())).splitlines()
    status = json.loads(status_json(SiteStatus(site.plan()), []))

    assert "  docs/index.md:1         a cat" in lines[0]
    assert "  docs/index.md:1 (dark)  a cat by night" in lines[1]
    assert lines[2] == "2 pictures: 0 cached, 2 new; 2 to pay for ($0.5)"
    assert [each["uses"] for each in status["pictures"]] == [[{"page": "docs/index.md", "line": 1}]] * 2


@pytest.mark.parametrize(
    ("budget", "message"),
    [(Budget(images=1), "2 pictures are missing"), (Budget(usd=0.3), "2 missing pictures cost [$]0.5")],
)
@pytest.mark.parametrize("block", [TWINS, PAINTING], ids=["twins", "parent"])
def test_the_budget_counts_both(service, make_site, budget, message, block):
    """A picture and what it is drawn from fit into the budget together, or nothing is submitted."""
    site = make_site(block, budget=budget, prices={"1k": 0.25})
    with pytest.raises(BudgetError, match=message):
        site.run()

    assert service.requests == []


# The order of submits.


@pytest.mark.parametrize("block", [TWINS, PAINTING], ids=["twins", "parent"])
def test_a_child_is_submitted_with_the_picture_of_its_parent(service, studio, make_site, block):
    """The parent is made first, and the child is asked for with its bytes as a data URI."""
    data = picture(size=(40, 30))
    service.download = Answer(body=data)
    site = make_site(block)
    outcomes = site.generate()
    parent, child = service.of("submit")

    assert steps(outcomes) == ["STORED", "STORED"]
    assert studio.submitted == [each.spec.prompt for each in site.pictures.pictures.values()]
    assert "image_urls" not in parent.json
    assert child.json["image_urls"] == [data_uri(data)]
    assert site.states()[-1] is State.CACHED
    record = json.loads((site.settings.store / site.digests[1][:2] / f"{site.digests[1]}.json").read_text())
    assert record["request"]["references"] == [f"spec:{site.digests[0]}"]
    assert site.run().outcomes == ()


def test_a_child_waits_for_its_own_parents_only(studio, make_site):
    """A dark twin leaves as soon as its light picture is there, while others of that level are still drawn."""
    studio.fates["a dog"] = lambda: "a cat by night" in studio.submitted
    site = make_site({"prompt": "a dog", "dark": {"prompt": "a dog by night"}}, TWINS, api={"timeout": {"1k": 3000.0}})
    outcomes = site.generate()

    assert steps(outcomes) == ["STORED"] * 4
    assert studio.submitted[2:] == ["a cat by night", "a dog by night"]


def test_a_level_is_submitted_in_parallel(studio, make_site):
    """Dark twins whose light pictures are there do not wait for each other."""
    both = threading.Barrier(2, timeout=20)
    blocks = [{"prompt": name, "dark": {"prompt": f"{name} by night"}} for name in ("a cat", "a dog")]

    def meet(_):
        both.wait()

    studio.answers.update({block["dark"]["prompt"]: meet for block in blocks})
    outcomes = make_site(*blocks).generate()

    assert steps(outcomes) == ["STORED"] * 4
    assert not both.broken


def test_a_parent_on_another_page_is_made_once(studio, make_site):
    """A picture that one page shows and another draws from is one submit, whichever page comes first."""
    site = make_site(PAINTING, TWINS, others={"b": [{"prompt": "a sketch"}, TWINS, PAINTING]})
    outcomes = site.generate()

    assert set(steps(outcomes)) == {"STORED"}
    assert sorted(studio.submitted) == sorted(["a sketch", "a painting", "a cat", "a cat by night"])


def test_a_stored_picture_costs_nothing_without_its_parent(service, studio, make_site):
    """When a parent that no page shows is gone, a run over the stored child asks for nothing."""
    site = make_site(PAINTING)
    site.run()
    for path in site.settings.store.rglob(f"{SKETCH.digest}.*"):
        path.unlink()
    service.requests.clear()
    result = site.run()

    assert (result.problems, service.requests) == ([], [])
    assert site.states() == [State.CACHED]
    assert studio.prompts


def test_several_parents_and_generations(service, studio, make_site):
    """A picture waits for all that it is drawn from, and sends them in the order of its block."""
    pictures = {f"/images/t{number}.png": picture(size=(16 + number, 16)) for number in range(4)}
    service.download = lambda request: Answer(body=pictures[request.path])
    cat, dog = ImageSpec("a cat").digest, ImageSpec("a dog").digest
    both = {"prompt": "both", "image_urls": [dog, cat], "dark": {"prompt": "both by night"}}
    site = make_site({"prompt": "a cat"}, {"prompt": "a dog"}, both, api={"max_requests": 1})
    outcomes = site.generate()
    sent = [request.json.get("image_urls", []) for request in service.of("submit")]
    made = [data_uri(data) for data in pictures.values()]

    assert set(steps(outcomes)) == {"STORED"}
    assert studio.submitted == ["a cat", "a dog", "both", "both by night"]
    assert sent == [[], [], [made[1], made[0]], [made[2]]]


# What becomes of the children of a picture that is not made.

FATES = {
    "refused": ({"a cat": fails(400, "no cats")}, {}, "FAILED"),
    "forbidden": ({"a cat": fails(401, "who are you")}, {}, "SKIPPED"),
    "no money": ({"a cat": fails(402, "empty")}, {}, "SKIPPED"),
    "unknown": ({"a cat": Answer(vanish=True)}, {}, "UNKNOWN"),
    "failed": ({}, {"a cat": "failed"}, "FAILED"),
    "late": ({}, {"a cat": "processing"}, "WAITING"),
}
GENERATIONS = (TWINS, {"prompt": "a cat in oil", "image_urls": [ImageSpec("a cat").digest], "dark": True})


@pytest.mark.parametrize(("answers", "fates", "step"), FATES.values(), ids=list(FATES))
def test_nothing_is_paid_for_the_children_of_a_picture_that_is_not_made(studio, make_site, answers, fates, step):
    """Whatever happens to a picture, what is drawn from it is named and not submitted; the others are made."""
    studio.answers.update(answers)
    studio.fates.update(fates)
    site = make_site(*GENERATIONS, {"prompt": "a dog"}, api={"timeout": {"1k": 30.0}})
    cat, night, oil, oil_night, dog = site.generate()
    stopped = step == "SKIPPED"
    blamed = "not submitted: its reference, the picture {} at {}, was not made"
    said = [str(problem) for problem in RunResult(site.plan(), (cat, night, oil, oil_night, dog)).problems]

    assert steps([cat, night, oil, oil_night]) == [step, "SKIPPED", "SKIPPED", "SKIPPED"]
    assert dog.step.name == ("SKIPPED" if stopped else "STORED")
    assert studio.submitted == (["a cat"] if stopped else ["a cat", "a dog"])
    assert {night.digest, oil.digest, oil_night.digest}.isdisjoint(site.submissions())
    assert f"docs/index.md:1 (dark): {blamed.format(cat.digest[:12], 'docs/index.md:1')}" in said
    assert f"{oil.where}: {blamed.format(cat.digest[:12], 'docs/index.md:1')}" in said
    assert f"{oil.where} (dark): {blamed.format(oil.digest[:12], oil.where)}" in said


def test_a_picture_that_cannot_be_kept_has_no_children(service, studio, make_site):
    """What the service gave in place of a picture is sent nowhere."""
    service.download = Answer(body=b"<html>Not a picture</html>")
    outcomes = make_site(TWINS).generate()

    assert steps(outcomes) == ["WAITING", "SKIPPED"]
    assert studio.submitted == ["a cat"]


def harm(path):
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: path.write_bytes(b"half"), "was not made"),
        (lambda path: path.with_suffix(".json").unlink(), "was not made"),
        (harm, "is damaged in the store: the bytes of {}.png are not those of its record"),
    ],
    ids=["half", "no record", "one bit"],
)
@pytest.mark.usefixtures("studio")
def test_a_damaged_parent_is_not_sent(service, make_site, change, said):
    """A picture in the store that is not what its record says is sent nowhere, and its child is named."""
    make_site({"prompt": "a cat"}).run()
    site = make_site(TWINS)
    light = site.digests[0]
    change(site.settings.store / light[:2] / f"{light}.png")
    service.requests.clear()
    problems = site.run().problems
    beginning = f"docs/index.md:1 (dark): not submitted: its reference, the picture {light[:12]} at docs/index.md:1, "

    assert str(problems[-1]) == beginning + said.format(light)
    assert service.requests == []
    assert site.submissions() == {}


def remove(site, digest):
    for path in site.settings.store.rglob(f"{digest}.*"):
        path.unlink()


def test_a_parent_that_vanishes_after_the_plan_is_named(service, studio, make_site):
    """A picture that was in the store when the run was planned, and is gone when it is sent, fails its child only."""
    make_site({"prompt": "a cat"}).run()
    site = make_site(TWINS, {"prompt": "a dog"})
    made = site.plan()
    remove(site, site.digests[0])
    night, dog = site.generate(made)

    assert steps([night, dog]) == ["SKIPPED", "STORED"]
    assert night.problem.endswith("at docs/index.md:1, is not in the store any more")
    assert studio.submitted == ["a cat", "a dog"]
    assert service.of("download")


@pytest.mark.parametrize(
    ("limit", "said"),
    [("MAX_REFERENCE_BYTES", "has 21 MB, expected at most 20 MB"), ("MAX_TOTAL_BYTES", "of reference images together")],
)
def test_a_parent_that_is_too_large_for_a_reference_is_not_sent(studio, make_site, monkeypatch, limit, said):
    """The size of a picture counts as soon as it is there: more than the service takes is not submitted."""
    monkeypatch.setattr(references, limit, 10)
    light, night = make_site(TWINS).generate()

    assert steps([light, night]) == ["STORED", "SKIPPED"]
    assert said in night.problem
    assert studio.submitted == ["a cat"]


def denied():
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda: b"another", "changes while it is read"),
        (denied, "cannot be read: Permission denied"),
    ],
    ids=["changes", "denied"],
)
def test_a_parent_is_what_was_verified(studio, make_site, monkeypatch, read, said):
    """Bytes that are not those that were verified a moment before are not sent."""
    make_site({"prompt": "a cat"}).run()
    site = make_site(TWINS)
    original = read_regular_file
    monkeypatch.setattr(
        request_bodies,
        "read_regular_file",
        lambda path, most: read() if str(path).endswith(".png") else original(path, most),
    )
    (night,) = site.generate()

    assert night.step is Step.SKIPPED
    assert night.problem.endswith(said)
    assert studio.submitted == ["a cat"]


def test_an_empty_account_leaves_the_children_of_what_was_made(studio, make_site):
    """After a 402 what was accepted is collected, and no child is tried."""
    studio.answers["a dog"] = fails(402, "empty")
    outcomes = make_site(TWINS, {"prompt": "a dog", "dark": True}, api={"max_requests": 1}).generate()

    assert steps(outcomes) == ["STORED", "SKIPPED", "SKIPPED", "SKIPPED"]
    assert "402" in outcomes[1].problem
    assert studio.submitted == ["a cat", "a dog"]


# The next run, and other runs.


def test_the_next_run_collects_the_parent_and_goes_on(studio, make_site):
    """A parent that was in flight at the end of a run is collected by the next, which then submits the child."""
    studio.fates["a cat"] = "processing"
    first = make_site(TWINS, api={"timeout": {"1k": 20.0}}).generate()
    studio.fates.clear()
    site = make_site(TWINS)
    second = site.generate()

    assert steps(first) == ["WAITING", "SKIPPED"]
    assert steps(second) == ["STORED", "STORED"]
    assert studio.submitted == ["a cat", "a cat by night"]
    assert site.submissions() == {}


def test_an_unknown_parent_is_tried_again_together_with_its_child(studio, make_site):
    """A parent with an unknown outcome holds its child back until it is resolved, and then both are made."""
    studio.answers["a cat"] = Answer(vanish=True)
    site = make_site(TWINS)
    site.run()
    studio.answers.clear()
    again, retried = site.run(), site.run(retry_unknown=True)

    assert len(again.problems) == 2
    assert "may be paid for already" in str(again.problems[0])
    assert again.problems[1].message.endswith("was not made")
    assert retried.problems == []
    assert studio.submitted == ["a cat", "a cat", "a cat by night"]


def test_a_child_with_an_unknown_outcome_stays_unknown_when_its_parent_is_not_made(studio, make_site):
    """A child that may be paid for is not taken for free because it cannot be tried again."""
    studio.answers["a painting"] = Answer(vanish=True)
    site = make_site(PAINTING)
    site.run()
    remove(site, SKETCH.digest)
    studio.answers.update({"a sketch": fails(400, "no")})
    untouched, retried = site.run(), site.run(retry_unknown=True)

    assert len(untouched.problems) == 1
    assert [outcome.step for outcome in retried.outcomes] == [Step.FAILED, Step.UNKNOWN]
    assert "not submitted again: its reference" in str(retried.problems[1])
    assert studio.submitted == ["a sketch", "a painting", "a sketch"]
    assert list(site.submissions()) == [site.digests[1]]


def test_over_the_budget_a_parent_in_flight_is_collected(studio, make_site):
    """A plan over the budget collects what is paid for, and submits neither child."""
    studio.fates["a sketch"] = "processing"
    make_site(PAINTING, api={"timeout": {"1k": 20.0}}).generate()
    studio.fates.clear()
    site = make_site(PAINTING, budget=Budget(images=0))
    with pytest.raises(BudgetError):
        site.run()

    assert isinstance(site.store.verify(SKETCH.digest), Entry)
    assert studio.submitted == ["a sketch"]


@pytest.mark.parametrize("is_made", [True, False], ids=["made", "let go"])
def test_a_parent_that_another_run_makes_is_waited_for(service, studio, make_site, is_made):
    """A child is submitted once another run has stored its parent, and not when that one has let go of it."""
    site = make_site(TWINS)
    light = next(iter(site.pictures.pictures.values())).spec
    site.settings.journal.mkdir(parents=True)
    with hold_lease(site.settings.journal) as run:
        held = dataclasses.replace(submission(light, Stage.INTENT), run=run, base_url=site.settings.api.base_url)
        with open_journal(site.settings.journal) as opened:
            opened.write(dataclasses.replace(held, submitted_at=time.time()))
        made = site.plan()
        outcomes = []
        thread = threading.Thread(target=lambda: outcomes.extend(site.generate(made)))
        thread.start()
        if is_made:
            put(Store(site.settings.store), light)
        with open_journal(site.settings.journal) as opened:
            opened.forget(held)
        thread.join(20)

    assert made.count(State.LEASED) == 1
    assert steps(outcomes) == (["STORED", "STORED"] if is_made else ["FAILED", "SKIPPED"])
    assert studio.submitted.count("a cat by night") == is_made
    assert len(service.of("submit")) == is_made


@pytest.fixture
def real(service, folder):
    """A real site with a block and its dark twin."""
    site = sites.Site(folder)
    site.write({"index.md": sites.block(**TWINS)})
    site.configure(gptimage={"api": {"base_url": service.base_url, **sites.FAST}})
    return site


def started(site):
    command = [sys.executable, "-c", "from mkdocs_gptimage.cli import main; main()", "generate"]
    env = sites.environment({"APIMASTER_API_KEY": KEY})
    return subprocess.Popen(command, cwd=site.root, env={**os.environ, **env}, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("moment", "code"), [("download", 0), ("dark submit", 1)])
def test_a_crash_between_parent_and_child_is_paid_for_once(service, studio, real, moment, code):
    """A run that is killed with the parent in flight, or as the child leaves, is taken up and never paid for twice."""
    arrived, over = threading.Event(), threading.Event()

    def hold(_):
        arrived.set()
        over.wait(20)
        return Answer(body=picture()) if moment == "download" else None

    if moment == "download":
        service.download = hold
    else:
        studio.answers["a cat by night"] = hold
    with started(real) as process:
        assert arrived.wait(30)
        process.kill()
        process.communicate()
    over.set()
    service.download = Answer(body=picture())
    studio.answers.clear()
    done = real.gptimage("generate", env={"APIMASTER_API_KEY": KEY})

    assert done.code == code, done.err
    assert studio.submitted == ["a cat", "a cat by night"]
    assert len(list(real.store.rglob("*.png"))) == 2 - code
    assert ("docs/index.md:1 (dark): the picture" in done.out) == bool(code)


def test_an_interrupted_run_submits_no_child(service, studio, real):
    """A run that is ended while it waits for a parent submits nothing more; the next one collects and goes on."""
    studio.fates["a cat"] = "processing"
    with started(real) as process:
        until = time.monotonic() + 30
        while not service.of("batch") and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)[1]
    before = studio.submitted
    studio.fates.clear()
    done = real.gptimage("generate", env={"APIMASTER_API_KEY": KEY})

    assert process.returncode != 0
    assert "Interrupted: 1 in flight" in said
    assert (before, studio.submitted) == (["a cat"], ["a cat", "a cat by night"])
    assert done.code == 0, done.err


def test_two_runs_at_a_time_make_parent_and_child_once(studio, real):
    """Two runs that begin at the same moment submit the light and the dark picture once each, and both succeed."""
    with started(real) as first, started(real) as second:
        said = [process.communicate(timeout=60)[1] for process in (first, second)]

    assert [first.returncode, second.returncode] == [0, 0], said
    assert studio.submitted == ["a cat", "a cat by night"]


# The queue by itself.


def queue_of(catalog, *stored):
    refused = []
    return ReadyQueue(plan(catalog, *stored), lambda job, parent: refused.append((job.digest, parent))), refused


def test_a_queue_keeps_the_order_of_the_plan():
    """Of the jobs that are ready, the first of the plan comes first, children among them."""
    catalog = pages(TWINS, {"prompt": "a dog"})
    cat, night, dog = catalog.pictures
    queue, _ = queue_of(catalog)

    async def take():
        first = await queue.next()
        queue.settle(Outcome(Step.STORED, cat, ""))
        return [first.digest, (await queue.next()).digest, (await queue.next()).digest, await queue.next()]

    assert anyio.run(take) == [cat, night, dog, None]


def test_a_circle_ends_without_waiting():
    """Pictures that are drawn from each other, which no digest allows, are refused instead of waited for."""
    catalog = pages(TWINS)
    light, dark = catalog.pictures.values()
    light.parents = (dark,)
    queue, refused = queue_of(catalog)
    queue.begin()

    assert refused == [(light.spec.digest, dark.spec.digest)]


def test_a_child_is_refused_once():
    """A picture whose parents all fail has one outcome."""
    catalog = harness.catalog(ImageSpec("c", references=(reference_to(ImageSpec("a")), reference_to(ImageSpec("b")))))
    one, other, child = catalog.pictures
    queue, refused = queue_of(catalog)
    for digest in (one, other):
        queue.settle(Outcome(Step.FAILED, digest, ""))

    assert refused == [(child, one)]
