"""A picture leased by another run: every way in which that run can release it."""

from __future__ import annotations

import dataclasses
import threading
import time

import harness
import pytest
from harness import Site, catalog, steps

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.journal.journal import Journal, open_journal
from mkdocs_gptimage.journal.lease import hold_lease
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.plan.states import State


@pytest.fixture
def site(service, tmp_path):
    return Site(harness.settings(tmp_path, service.base_url), catalog("a cat"))


def submission_of(site, run, **changes):
    """The submission of the site's picture, in the hands of a run."""
    (picture,) = site.pictures.pictures.values()
    spec = picture.spec
    made = Submission(
        spec.digest,
        Stage.ACCEPTED,
        site.settings.api.base_url,
        "key-1",
        time.time(),
        "t1",
        where=picture.where,
        run=run,
        request=spec.canonical,
    )
    return dataclasses.replace(made, **changes)


def written(site, submission):
    with open_journal(site.settings.journal) as opened:
        opened.write(submission)


def beside(site, **changes):
    """Run the site while another run holds the lease of its picture; that one dies soon and leaves `changes`."""
    site.settings.journal.mkdir(parents=True, exist_ok=True)
    with hold_lease(site.settings.journal) as run:
        written(site, submission_of(site, run, **changes))
        plan = site.plan()
        found = []
        thread = threading.Thread(target=lambda: found.extend(site.generate(plan)))
        thread.start()
        time.sleep(0.2)
    thread.join(20)
    return plan, found


def test_a_task_is_taken_over(service, site):
    """A task that a dead run has left is collected, and nothing is submitted."""
    plan, outcomes = beside(site)

    assert plan.rows[0].state is State.LEASED
    assert steps(outcomes) == ["STORED"]
    assert service.of("submit") == []
    assert site.submissions() == {}


@pytest.mark.parametrize("stage", [Stage.INTENT, Stage.UNKNOWN])
def test_an_unknown_outcome_is_named(service, site, stage):
    """A submit of which the dead run did not know what became is named, and kept for the next run to name."""
    _, outcomes = beside(site, stage=stage, task_id=None)

    assert steps(outcomes) == ["UNKNOWN"]
    assert service.requests == []
    assert site.states() == [State.UNKNOWN]


def test_a_task_of_another_service_is_left_to_it(service, site):
    """What a dead run has submitted to another service is neither asked for nor paid for here."""
    _, outcomes = beside(site, base_url="https://other.example/v1")

    assert steps(outcomes) == ["WAITING"]
    assert "it was submitted to https://other.example/v1" in outcomes[0].problem
    assert service.requests == []
    assert site.states() == [State.OTHER_GATEWAY]


def test_a_run_that_hangs_is_not_waited_for_longer_than_its_task_may_take(service, site):
    """A live run that does nothing is waited for as long as the service may take, and keeps its lease."""
    api = dataclasses.replace(site.settings.api, timeout={"1k": 50.0})
    site = Site(dataclasses.replace(site.settings, api=api), site.pictures)
    site.settings.journal.mkdir(parents=True)
    with hold_lease(site.settings.journal) as run:
        written(site, submission_of(site, run))
        outcomes = site.generate()
        kept = site.submissions()

    assert steps(outcomes) == ["WAITING"]
    assert "another run has been making it for 50 s" in outcomes[0].problem
    assert service.requests == []
    assert next(iter(kept.values())).run == run


def test_of_two_that_take_over_one_does(service, site):
    """A submission whose row another run has changed meanwhile is not taken over on the strength of the old one."""
    written(site, submission_of(site, ""))
    plan = site.plan()
    written(site, submission_of(site, "", reason="seen by another run"))
    outcomes = site.generate(plan)

    assert plan.rows[0].state is State.IN_FLIGHT
    assert steps(outcomes) == ["STORED"]
    assert service.of("submit") == []


@pytest.mark.parametrize("method", ["read", "replace"])
def test_a_journal_that_fails_meanwhile_costs_nothing(service, site, monkeypatch, method):
    """When the journal cannot be used while a run waits or takes over, it collects or ends, and does not submit."""

    def fail(*_):
        raise ConfigurationError("the journal cannot be used (test)")

    monkeypatch.setattr(Journal, method, fail)
    _, outcomes = beside(site)

    assert steps(outcomes) == [{"read": "WAITING", "replace": "STORED"}[method]]
    assert service.of("submit") == []
