"""Answers that say that a task has ended, and not where its picture is; and what is not its picture."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import harness
import pytest
from harness import Site, catalog, steps
from scripted_service import KEY, accepts, encoded, fails, picture, says, task

from mkdocs_gptimage.generate.result import RunResult
from mkdocs_gptimage.journal.journal import open_journal
from mkdocs_gptimage.plan.states import State
from mkdocs_gptimage.report.as_json import result_json
from mkdocs_gptimage.service.protocol import MOST_KEPT
from mkdocs_gptimage.spec.model import ImageSpec, Reference

STRANGE = {"data": {"id": "task_1", "status": "completed", "message": "see there", "vault": {"shelf": "7b"}}}
REFERENCE = "https://example.org/a%20reference.png"


@pytest.fixture
def make_site(service, tmp_path):
    def make(*prompts, api=None):
        return Site(harness.settings(tmp_path, service.base_url, api=api), catalog(*prompts))

    return make


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    with harness.fast_production(monkeypatch):
        yield


def end_strangely(service, answer=STRANGE):
    service.batch = fails(404)
    service.poll = says(answer)


def test_the_whole_answer_is_kept_and_shown(service, make_site):
    """What was not understood stands whole in the journal and in the plan's JSON, and the key in neither."""
    end_strangely(service, {"data": {**STRANGE["data"], "token": f"\u2014{KEY}\u2014"}})
    site = make_site("a cat")
    site.run()
    kept = site.submissions()[site.digests[0]].answer
    shown = json.loads(result_json(RunResult(site.plan())))["pictures"][0]["answer"]

    assert json.loads(kept) == {"data": {**STRANGE["data"], "token": "\u2014***\u2014"}}
    assert shown == kept


def test_what_is_kept_is_bounded(service, make_site):
    """Of an endless answer the beginning is kept, and its words are short."""
    end_strangely(service, {"data": {**STRANGE["data"], "message": "w" * 9000, "noise": "x" * 3 * MOST_KEPT}})
    site = make_site("a cat")
    result = site.run()

    assert len(site.submissions()[site.digests[0]].answer) == MOST_KEPT
    assert len(str(result.problems[0])) < 1000


def test_every_run_asks_for_it_and_none_submits_it(service, make_site):
    """As long as the answer stays strange, each run asks once, for free; once it is plain, the picture is collected."""
    end_strangely(service)
    site = make_site("a cat")
    outcomes = [site.run().outcomes[0].step.name for _ in range(3)]
    polls = len(service.of("poll"))
    service.poll = says({"data": service.finished("task_1")})
    site.run()

    assert outcomes == ["UNKNOWN"] * 3
    assert polls == 3
    assert site.states() == [State.CACHED]
    assert len(service.of("submit")) == 1


def test_it_is_paid_for_again_only_on_request(service, make_site):
    """`--retry-unknown` asks once more, and then submits."""
    end_strangely(service)
    service.submit = [accepts("task_1"), accepts("task_2")]
    site = make_site("a cat")
    site.run()
    service.requests.clear()
    service.poll = lambda request: says(STRANGE if "task_1" in request.path else {"data": service.finished("task_2")})
    result = site.run(retry_unknown=True)

    assert steps(result.outcomes) == ["STORED"]
    assert service.counts() == {"poll": 2, "submit": 1, "batch": 1, "download": 1}


@pytest.mark.parametrize("task_id", ["task_1", None])
@pytest.mark.parametrize("is_retried", [False, True])
def test_a_later_version_collects_what_an_earlier_one_kept(service, make_site, task_id, is_retried):
    """A kept answer whose picture is understood now is collected, though the service has forgotten its task."""
    end_strangely(service) if task_id else setattr(service, "submit", says({"status": "completed", "vault": "7b"}))
    site = make_site("a cat")
    site.run()
    known = site.submissions()[site.digests[0]]
    with open_journal(site.settings.journal) as opened:
        opened.write(dataclasses.replace(known, answer=json.dumps({"output": [f"{service.origin}/a.png"]})))
    service.poll = fails(404)
    submits = len(service.of("submit"))
    result = site.run(retry_unknown=is_retried)

    assert known.task_id == task_id
    assert known.answer
    assert steps(result.outcomes) == ["STORED"]
    assert len(service.of("submit")) == submits == 1


@pytest.mark.parametrize(
    "echo",
    [
        {"image_urls": [REFERENCE]},
        {"image_urls": ["https://cdn.example/uploaded.png"]},
        {"images": [{"url": f" {REFERENCE} "}]},
        {"output": {"source": [REFERENCE.replace("%20", " ")]}},
        {"result": {"input": {"url": "https://cdn.example/uploaded.png"}}},
        {"request": json.dumps({"images": ["https://cdn.example/uploaded.png"]})},
        {"referenceImages": ["https://cdn.example/uploaded.png"]},
        {"images": [f"data:image/png;base64,{encoded(picture('JPEG'))}"]},
        {"result": {"b64_json": encoded(picture("JPEG"))}},
    ],
)
def test_a_reference_image_is_never_taken_for_the_picture(service, make_site, echo):
    """What a service repeats of the request, as a link or as bytes, is passed over, alone and beside the picture."""
    data = picture("JPEG")
    local = Reference(f"sha256:{hashlib.sha256(data).hexdigest()}", f"data:image/jpeg;base64,{encoded(data)}")
    references = (Reference(REFERENCE, REFERENCE), local)
    end_strangely(service, {"data": {**task("task_1", "completed"), **echo}})
    site = make_site(ImageSpec("a cat", references=references))
    first = site.run()
    service.poll = says(
        {"data": {**task("task_1", "completed"), **echo, "output": {"final": f"{service.origin}/b.png"}}}
    )
    second = site.run()

    assert steps(first.outcomes) == ["UNKNOWN"]
    assert steps(second.outcomes) == ["STORED"]
    assert [request.path for request in service.of("download")] == ["/b.png"]
