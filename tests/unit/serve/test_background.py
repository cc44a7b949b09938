"""Pictures that a development server makes in the background: when it is asked, once, and never by surprise."""

from __future__ import annotations

import logging
import time

import harness
import pytest
import scripted_service as gateways
from scripted_service import accepts, fails, says, task
from waits import until

from mkdocs_gptimage.plan.plan import Row, make_plan
from mkdocs_gptimage.plan.states import State
from mkdocs_gptimage.serve import automatic, background
from mkdocs_gptimage.serve.background import BackgroundGenerator, UnknownPictureError
from mkdocs_gptimage.serve.card import card
from mkdocs_gptimage.serve.rebuild import WATCHED_FOLDER
from mkdocs_gptimage.settings import Budget
from mkdocs_gptimage.spec.digest import Digest
from mkdocs_gptimage.spec.model import ImageSpec, reference_to
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.store.snapshot import StoreSnapshot

SOON = {"first_poll": 0.05, "poll_interval": 0.05}


@pytest.fixture
def site(tmp_path, service):
    return harness.Site(harness.settings(tmp_path, service.base_url, api=SOON), harness.catalog("a", "b"))


@pytest.fixture
def generator():
    made = BackgroundGenerator(harness.ENVIRONMENT, logging.getLogger("mkdocs.plugins.gptimage"))
    yield made
    made.close()


def update(generator, site, *, auto_generate=False):
    plan = site.plan()
    generator.update("", site.pictures, plan, site.settings, site.digests if auto_generate else ())
    return plan


def costs(row, rows, settings):
    return card(row, rows=rows, settings=settings, environment=harness.ENVIRONMENT, token="")["pays"]


def phase(generator, digest):
    return generator.states([digest]).get(digest, {}).get("phase")


def submits(service):
    return [request.json["prompt"] for request in service.requests if request.kind == "submit"]


def test_only_what_is_asked_for_is_made(site, service, generator):
    """A site whose pictures are missing pays for nothing until one is asked for, and then for that one."""
    update(generator, site)
    first, second = site.digests
    assert generator.states(site.digests) == {}
    assert submits(service) == []

    generator.ask([first])
    until(lambda: phase(generator, first) == "ready")

    assert submits(service) == ["a"]
    assert isinstance(site.store.get(first), Entry)
    assert phase(generator, second) is None
    until((site.settings.cache / WATCHED_FOLDER / "stored").exists)


def test_two_windows_pay_once(site, service, generator):
    """A picture that is asked for while it is being made is not asked for again."""
    service.batch = lambda request: says({"data": [task(each, "processing") for each in request.json["task_ids"]]})
    update(generator, site)
    first = site.digests[0]
    for _ in range(3):
        generator.ask([first])
    until(lambda: phase(generator, first) == "running")
    generator.ask(site.digests)
    until(lambda: len(submits(service)) == 2)

    assert sorted(submits(service)) == ["a", "b"]


def test_a_picture_of_another_site_is_not_made(site, service, generator):
    """A digest that the site does not ask for makes nothing, nor does what is asked for with it."""
    update(generator, site)

    with pytest.raises(UnknownPictureError, match="does not ask for the picture 000000000000"):
        generator.ask([site.digests[0], Digest("0" * 64)])

    assert submits(service) == []
    assert generator.states(site.digests) == {}


def test_a_failure_is_reported_in_the_words_of_the_service(site, service, generator):
    """What the service says of a picture is what its card says; asking again submits again."""
    service.submit = [fails(400, "Your prompt was rejected", "moderation_blocked"), accepts("t1")]
    update(generator, site)
    first = site.digests[0]
    generator.ask([first])
    until(lambda: phase(generator, first) == "failed")
    failed = generator.states([first])[first]
    generator.ask([first])
    until(lambda: phase(generator, first) == "ready")

    assert "Your prompt was rejected" in failed["text"]
    assert failed["again"] == "paid"
    assert submits(service) == ["a", "a"]


def test_an_unknown_outcome_is_repeated_only_when_that_is_asked_for(site, service, generator):
    """Asking again for a picture that may be paid for does nothing unless the risk is taken."""
    service.submit = [gateways.Answer(vanish=True), accepts("t1")]
    update(generator, site)
    first = site.digests[0]
    generator.ask([first])
    until(lambda: phase(generator, first) == "failed")
    assert generator.states([first])[first]["again"] == "unknown"
    generator.ask([first])
    until(lambda: phase(generator, first) == "failed")
    assert generator.states([first])[first]["again"] == "unknown"
    assert submits(service) == ["a"]

    generator.ask([first], retry_unknown=True)
    until(lambda: phase(generator, first) == "ready")

    assert submits(service) == ["a", "a"]


def test_no_card_waits_for_ever(site, generator, monkeypatch):
    """The card reports whatever goes wrong in the background."""

    def fail(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(background, "run_plan", fail)
    update(generator, site)
    generator.ask(site.digests)
    until(lambda: phase(generator, site.digests[1]) == "failed")

    assert generator.states(site.digests)[site.digests[0]]["text"] == "ZeroDivisionError"


def test_the_budget_holds_for_every_click(tmp_path, service, generator):
    """More than the budget of a run is refused as a whole, with the reason."""
    site = harness.Site(
        harness.settings(tmp_path, service.base_url, api=SOON, budget=Budget(images=1)), harness.catalog("a", "b")
    )
    update(generator, site)
    generator.ask(site.digests)
    until(lambda: phase(generator, site.digests[0]) == "failed")

    assert "more than the budget of 1 images" in generator.states(site.digests)[site.digests[0]]["text"]
    assert submits(service) == []


def test_a_card_says_what_a_click_pays_for(tmp_path, service, generator):
    """A picture that is drawn from another one, which is missing as well, names the prices of both."""
    settings = harness.settings(tmp_path, service.base_url, prices={"1k": 0.25})
    light = ImageSpec("a")
    dark = ImageSpec("b", references=(reference_to(light),))
    site = harness.Site(settings, harness.catalog(light, dark))
    plan = update(generator, site)
    rows = {row.digest: row for row in plan.all_rows}

    assert costs(rows[dark.digest], rows, settings) == {
        light.digest: 0.25,
        dark.digest: 0.25,
    }
    assert costs(rows[light.digest], rows, settings) == {light.digest: 0.25}


def test_a_server_without_a_key_says_what_it_lacks(site):
    """Without a key, the card names the variable to set."""
    generator = BackgroundGenerator({}, logging.getLogger("test"))
    plan = update(generator, site)
    rows = {row.digest: row for row in plan.all_rows}

    assert (
        card(plan.rows[0], rows=rows, settings=site.settings, environment={}, token="")["lacks"] == "APIMASTER_API_KEY"
    )


def test_what_is_in_flight_is_collected_by_the_next_server(site, service, generator):
    """A server that ends leaves what was accepted in flight; the next one collects it, automatically and for free."""
    finishes = service.batch
    service.batch = lambda request: says({"data": [task(each, "processing") for each in request.json["task_ids"]]})
    first = site.digests[0]
    before = BackgroundGenerator(harness.ENVIRONMENT, logging.getLogger("test"))
    update(before, site)
    before.ask([first])
    until(lambda: phase(before, first) == "running")
    started = time.monotonic()
    before.close()
    took = time.monotonic() - started
    assert site.states() == [State.IN_FLIGHT, State.MISSING]

    service.batch = finishes
    update(generator, site)
    until(lambda: phase(generator, first) == "ready")

    assert took < 2
    assert submits(service) == ["a"]


def test_what_no_page_asks_for_any_more_is_collected(site, service, generator):
    """A picture whose block was edited while no server ran is collected by the next one, and not paid for again."""
    finishes = service.batch
    service.batch = lambda request: says({"data": [task(each, "processing") for each in request.json["task_ids"]]})
    before = BackgroundGenerator(harness.ENVIRONMENT, logging.getLogger("test"))
    update(before, site)
    first = site.digests[0]
    before.ask([first])
    until(lambda: phase(before, first) == "running")
    before.close()
    service.batch = finishes

    edited = harness.Site(site.settings, harness.catalog("edited"))
    plan = make_plan(edited.pictures, StoreSnapshot(edited.store), edited.settings, include_unclaimed=True)
    generator.update("", edited.pictures, plan, edited.settings, ())
    until(lambda: isinstance(site.store.get(first), Entry))

    assert submits(service) == ["a"]


def test_a_card_in_flight_knows_what_another_try_costs(tmp_path, service):
    """When a task fails that an earlier server has begun, its card does not call another try free."""
    settings = harness.settings(tmp_path, service.base_url, api=SOON, prices={"1k": 0.25})
    site = harness.Site(settings, harness.catalog("a"))
    row = Row(site.plan().rows[0].picture, State.IN_FLIGHT)

    assert costs(row, {row.digest: row}, settings) == {row.digest: 0.25}


def test_a_picture_that_another_program_made_is_noticed(site, service, generator):
    """A card asks for its state and hears that the picture is there, and the server rebuilds once."""
    update(generator, site)
    other = harness.Site(site.settings, harness.catalog("a"))
    assert other.run().problems == []
    signal = site.settings.cache / WATCHED_FOLDER / "stored"
    assert not signal.exists()

    assert phase(generator, site.digests[0]) == "ready"
    until(signal.exists)
    first = signal.read_text()
    assert phase(generator, site.digests[0]) == "ready"

    assert signal.read_text() == first
    assert len(submits(service)) == 1


def test_only_blocks_that_have_settled_are_made_automatically(site, service, generator, monkeypatch):
    """With `on_missing: generate`, a block that is still being written is not paid for, one that stays is."""
    monkeypatch.setattr(automatic, "SETTLED_SECONDS", 1.5)
    for prompt in ("A", "A har", "A harb"):
        site.pictures = harness.catalog(prompt, "b")
        update(generator, site, auto_generate=True)
        time.sleep(0.2)
    site.pictures = harness.catalog("A harbour", "b")
    update(generator, site, auto_generate=True)
    until(lambda: len(submits(service)) == 2)
    time.sleep(0.8)

    assert sorted(submits(service)) == ["A harbour", "b"]


def test_nothing_is_made_automatically_after_a_failed_build(site, service, generator, monkeypatch):
    """Until a later build has ended, what the pages ask for is unknown, and nothing is paid."""
    monkeypatch.setattr(automatic, "SETTLED_SECONDS", 0.5)
    update(generator, site, auto_generate=True)
    generator.hold()
    time.sleep(1)
    assert submits(service) == []

    update(generator, site, auto_generate=True)
    until(lambda: len(submits(service)) == 2)


def test_an_edit_that_is_undone_settles_anew(site, service, generator, monkeypatch):
    """A block that is edited and put back is as new: its time starts again."""
    monkeypatch.setattr(automatic, "SETTLED_SECONDS", 2.0)
    for prompt, seconds in (("A", 1.3), ("B", 0.3), ("A", 0.9)):
        site.pictures = harness.catalog(prompt)
        update(generator, site, auto_generate=True)
        time.sleep(seconds)
    assert submits(service) == []

    until(lambda: submits(service) == ["A"])


def test_a_server_has_one_budget_for_automatic_runs(tmp_path, service, generator, monkeypatch):
    """Prompts that every build words anew are paid for up to the budget, and then left to be asked for."""
    monkeypatch.setattr(automatic, "SETTLED_SECONDS", 0.05)
    settings = harness.settings(tmp_path, service.base_url, api=SOON, budget=Budget(images=2))
    for number in range(4):
        site = harness.Site(settings, harness.catalog(f"number {number}"))
        update(generator, site, auto_generate=True)
        until(lambda: len(submits(service)) == min(number + 1, 2))  # noqa: B023 - it is called at once
        time.sleep(0.3)
    generator.ask(site.digests)
    until(lambda: len(submits(service)) == 3)

    assert submits(service) == ["number 0", "number 1", "number 3"]


def test_a_failure_is_not_repeated_automatically(site, service, generator, monkeypatch):
    """What was refused is not submitted again by every rebuild."""
    monkeypatch.setattr(automatic, "SETTLED_SECONDS", 0.05)
    service.submit = fails(400, "no", "moderation_blocked")
    site.pictures = harness.catalog("a")
    (digest,) = site.digests
    for _ in range(3):
        update(generator, site, auto_generate=True)
        until(lambda: phase(generator, digest) == "failed")
        time.sleep(0.3)

    assert submits(service) == ["a"]


def test_a_site_in_two_languages_has_all_of_its_pictures(site, service, generator):
    """Each language is built by itself, and the pictures of all of them can be asked for."""
    other = harness.Site(site.settings, harness.catalog("c", page="docs/index.de.md"))
    update(generator, site)
    generator.update("de", other.pictures, other.plan(), other.settings, ())
    wanted = [site.digests[0], other.digests[0]]
    generator.ask(wanted)
    until(lambda: all(phase(generator, digest) == "ready" for digest in wanted))

    assert sorted(submits(service)) == ["a", "c"]
