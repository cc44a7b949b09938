"""Catalog, store and journal → what is to be done and what it costs."""

from __future__ import annotations

from pathlib import Path

import harness
import pytest

from mkdocs_gptimage.errors import BudgetError, MissingPicturesError
from mkdocs_gptimage.journal.snapshot import JournalSnapshot
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.plan.messages import require_all
from mkdocs_gptimage.plan.plan import check_budget, decide
from mkdocs_gptimage.plan.states import State
from mkdocs_gptimage.settings import Budget
from mkdocs_gptimage.spec.model import ImageSpec
from mkdocs_gptimage.store.entry import Damage, Entry
from mkdocs_gptimage.store.record import ImageFacts, Provenance
from mkdocs_gptimage.store.snapshot import StoreSnapshot

URL = "https://api.example/v1"
SPEC = ImageSpec("a cat")
ENTRY = Entry(
    SPEC.digest, Path("a.png"), ImageFacts("0" * 64, 1, 1, 1, "png"), Provenance("", "emulator", None, 1.0, None)
)
DAMAGE = Damage(SPEC.digest, "half of it")


def submission(stage, url=URL, **changes):
    return Submission(SPEC.digest, stage, url, "k", 0.0, **changes)


def make(*prompts, found=None, submissions=None, prices=None):
    pictures = harness.catalog(*prompts)
    snapshot = StoreSnapshot(None, dict.fromkeys(pictures.pictures, found))
    return decide(pictures, snapshot, JournalSnapshot(submissions or {}), prices=prices or {}, base_url=URL)


@pytest.mark.parametrize(
    ("found", "known", "state", "detail"),
    [
        (None, None, State.MISSING, ""),
        (ENTRY, None, State.CACHED, ""),
        (ENTRY, submission(Stage.ACCEPTED, task_id="t"), State.CACHED, ""),
        (ENTRY, submission(Stage.UNKNOWN), State.CACHED, ""),
        (DAMAGE, None, State.BROKEN, "half of it"),
        (DAMAGE, submission(Stage.ACCEPTED, task_id="t"), State.IN_FLIGHT, "t"),
        (DAMAGE, submission(Stage.UNKNOWN, reason="HTTP 500"), State.UNKNOWN, "HTTP 500"),
        (None, submission(Stage.ACCEPTED, task_id="t"), State.IN_FLIGHT, "t"),
        (None, submission(Stage.ACCEPTED, link="https://x"), State.IN_FLIGHT, ""),
        (None, submission(Stage.INTENT), State.UNKNOWN, "ended before the answer came"),
        (None, submission(Stage.UNKNOWN, reason="HTTP 500"), State.UNKNOWN, "HTTP 500"),
        (None, submission(Stage.ACCEPTED, "https://other/v1", task_id="t"), State.OTHER_GATEWAY, "https://other/v1"),
        (None, submission(Stage.UNKNOWN, "https://other/v1"), State.OTHER_GATEWAY, "https://other/v1"),
    ],
)
def test_states(found, known, state, detail):
    """What the store has is there; what the journal has is collected or left alone; only the rest is paid for."""
    submissions = {SPEC.digest: known} if known else {}
    row = make("a cat", found=found, submissions=submissions, prices={"1k": 0.01}).rows[0]

    assert row.state is state
    assert detail in row.detail
    assert row.price == (0.01 if state is State.MISSING else None)
    assert (row.entry, row.digest) == (ENTRY if found is ENTRY else None, SPEC.digest)


@pytest.mark.parametrize(
    ("prompts", "prices", "price"),
    [
        ((), {}, 0),
        (("a", "b"), {"1k": 0.5}, 1.0),
        (("a", ImageSpec("b", resolution="4k")), {"1k": 0.5}, None),
        (("a", ImageSpec("b", resolution="4k")), {"1k": 0.5, "4k": 2}, 2.5),
        (("a",), {"1k": 0.0}, 0),
    ],
)
def test_price_of_a_plan(prompts, prices, price):
    """A plan costs what its missing pictures cost; one price that is not known makes the sum unknown."""
    assert make(*prompts, prices=prices).price == price


def test_a_plan_keeps_the_order_of_the_pages():
    """Rows come in the order in which the pages ask, one per picture."""
    plan = make("b", "a", "b", "c")

    assert [row.picture.spec.prompt for row in plan.rows] == ["b", "a", "c"]
    assert plan.count(State.MISSING) == 3
    assert not plan.is_complete
    assert make("a cat", found=ENTRY).is_complete


@pytest.mark.parametrize(
    ("budget", "prices"),
    [
        (Budget(), {}),
        (Budget(images=2), {}),
        (Budget(usd=1.0), {"1k": 0.5}),
        (Budget(usd=0.0), {"1k": 0.0}),
        (Budget(images=2, usd=3.0), {"1k": 0.5}),
    ],
)
def test_plans_within_their_budget(budget, prices):
    """A plan that just fits is let through."""
    check_budget(make("a", "b", prices=prices), budget)

    with pytest.raises(BudgetError):
        check_budget(make("a", "b", "c", prices={"1k": 9}), Budget(images=2, usd=3.0))


@pytest.mark.parametrize("found", [ENTRY, DAMAGE])
def test_what_is_not_submitted_needs_no_budget(found):
    """Pictures that are there, or will not be made, cost nothing."""
    plan = make("a cat", found=found)
    check_budget(plan, Budget(images=0, usd=0.0))

    assert plan.price == 0


@pytest.mark.parametrize(
    ("budget", "prices", "message"),
    [
        (
            Budget(images=1),
            {},
            "2 pictures are missing, more than the budget of 1 images per run; nothing was",
        ),
        (Budget(images=0), {}, "the first at docs/index.md:1"),
        (Budget(usd=0.5), {}, "set prices.1k, prices.4k; nothing was submitted"),
        (Budget(usd=0.5), {"1k": 0.1}, "set prices.4k; nothing was submitted"),
        (Budget(usd=0.5), {"1k": 0.1, "4k": 0.5}, "2 missing pictures cost $0.6, more than the budget of $0.5 per run"),
    ],
)
def test_budget_messages(budget, prices, message):
    """The message for a plan over budget says what was found, what is allowed, and that nothing was submitted."""
    plan = make("a", ImageSpec("b", resolution="4k"), prices=prices)
    with pytest.raises(BudgetError) as caught:
        check_budget(plan, budget)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("found", "submissions", "message"),
    [
        (None, {}, "docs/index.md:1: the picture {} is not in the store; make it with 'gptimage generate'"),
        (
            None,
            {SPEC.digest: submission(Stage.ACCEPTED, task_id="t")},
            "is in flight; collect it with 'gptimage generate'",
        ),
        (None, {SPEC.digest: submission(Stage.INTENT)}, "'gptimage generate --retry-unknown' does"),
        (None, {SPEC.digest: submission(Stage.ACCEPTED, "https://other/v1")}, "to https://other/v1; set api.base_url"),
        (DAMAGE, {}, "is damaged: half of it. Restore its files from version control"),
    ],
)
def test_all_that_is_missing_is_listed(found, submissions, message):
    """Every picture that is not there is one line, with what to do."""
    with pytest.raises(MissingPicturesError) as caught:
        require_all(make("a cat", found=found, submissions=submissions))

    assert message.format(SPEC.digest[:12]) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_complete_plan_is_not_missing_anything():
    """When all is there, nothing is raised."""
    assert require_all(make("a cat", found=ENTRY)) is None
