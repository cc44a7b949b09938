"""Several builds at a time over one project folder: each picture is submitted once, and all of them get it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import yaml
from scripted_service import KEY, accepts, fails, says, task
from sites import FAST, Site
from waits import until

from mkdocs_gptimage.journal.journal import read_submissions

PROMPTS = ("an owl", "a fox", "a hare")
PAGE = "".join(f"```gpt-image\nprompt: {prompt}\n```\n\n" for prompt in PROMPTS)


@pytest.fixture
def site(service, tmp_path):
    made = Site(tmp_path)
    made.write({"index.md": PAGE})
    made.configure(gptimage={"api": {"base_url": service.base_url, **FAST}})
    return made


@contextlib.contextmanager
def started(site, *arguments, site_dir="site"):
    """A build that goes on in the background, with its output as text when it is waited for."""
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", site_dir, *arguments]
    env = {**os.environ, "APIMASTER_API_KEY": KEY, "NO_COLOR": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=site.root, env=env, stderr=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process, seconds=30):
    """The exit code of a process and what it said."""
    _, said = process.communicate(timeout=seconds)
    return process.returncode, said


def submitted(service):
    return sorted(request.json["prompt"] for request in service.of("submit"))


class Slow:
    """Tasks that are worked on until they are let go."""

    def __init__(self, service):
        self.service = service
        self.is_over = threading.Event()

    def __call__(self, request):
        tasks = [
            self.service.finished(each) if self.is_over.is_set() else task(each, "processing")
            for each in request.json["task_ids"]
        ]
        return says({"data": tasks})


def test_two_builds_pay_once_and_both_have_the_pictures(service, site):
    """Two builds that begin at the same moment submit each picture once, and both end with all of them."""
    numbers = iter(range(99))
    service.submit = lambda _: accepts(f"t{next(numbers)}", wait=0.1)
    with started(site, site_dir="site") as first, started(site, site_dir="other") as second:
        results = [ended(first), ended(second)]

    assert [code for code, _ in results] == [0, 0], results
    assert submitted(service) == sorted(PROMPTS)
    for folder in ("site", "other"):
        assert len(list((site.root / folder / "assets/gptimage").glob("*.webp"))) == len(PROMPTS)
    assert read_submissions(site.root / "gptimage/.journal") == {}


def test_a_build_waits_for_what_another_has_in_flight(service, site):
    """A build that begins while another waits for the service waits with it, says so, and submits nothing."""
    service.batch = Slow(service)
    with started(site) as first:
        until(lambda: len(service.of("submit")) == len(PROMPTS))
        with started(site, site_dir="other") as second:
            until(lambda: len(list((site.root / "gptimage/.journal/runs").glob("*.lock"))) == 2)
            time.sleep(0.3)
            service.batch.is_over.set()
            results = [ended(first), ended(second)]

    assert [code for code, _ in results] == [0, 0], results
    assert submitted(service) == sorted(PROMPTS)
    assert "docs/index.md:1: waits for another run" in results[1][1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_what_a_dead_build_had_in_flight_is_taken_over_at_once(service, site, number):
    """When the build that submitted dies, the one that waits for it collects its tasks, long before any deadline."""
    service.batch = Slow(service)
    with started(site) as first:
        until(lambda: len(service.of("submit")) == len(PROMPTS))
        with started(site, site_dir="other") as second:
            until(lambda: len(list((site.root / "gptimage/.journal/runs").glob("*.lock"))) == 2)
            first.send_signal(number)
            first.communicate(timeout=20)
            before = time.monotonic()
            service.batch.is_over.set()
            code, said = ended(second)
            seconds = time.monotonic() - before

    assert code == 0, said
    assert seconds < 10
    assert submitted(service) == sorted(PROMPTS)
    assert "in flight since an earlier run" in said


def test_an_intent_of_a_dead_build_is_unknown_and_not_waited_for(service, site):
    """A submit whose build was killed before the answer came is named by the build that waits, and never repeated."""
    arrived = threading.Event()

    def submit(_):
        arrived.set()
        return accepts("t1", wait=30)

    service.submit = submit
    with started(site) as first:
        assert arrived.wait(20)
        with started(site, site_dir="other") as second:
            until(lambda: len(service.of("submit")) == 2)
            first.kill()
            first.communicate()
            service.submit = accepts("t2")
            second.kill()
            second.communicate()
    service.submit = lambda request: accepts(f"t-{request.json['prompt'].split()[1]}")
    with started(site) as last:
        code, said = ended(last)

    assert code == 1
    assert said.count("may be paid for already: submitted 20") == 2
    assert submitted(service).count("an owl") == 1
    assert max(map(submitted(service).count, PROMPTS)) == 1


def test_a_refusal_frees_the_picture_for_the_other_build(service, site):
    """What one build was refused, another that waits for it may still make."""
    site.write({"index.md": "```gpt-image\nprompt: an owl\n```\n"})
    answers = iter([fails(400, "not today")])
    slow = threading.Event()

    def submit(_):
        answer = next(answers, None)
        if answer is None:
            return accepts("t1")
        slow.wait(20)
        return answer

    service.submit = submit
    with started(site) as first:
        until(lambda: len(service.of("submit")) == 1)
        with started(site, site_dir="other") as second:
            until(lambda: len(list((site.root / "gptimage/.journal/runs").glob("*.lock"))) == 2)
            time.sleep(0.3)
            slow.set()
            results = [ended(first), ended(second)]

    assert [code for code, _ in results] == [1, 1], results
    assert "did not finish it; nothing is paid, build again" in results[1][1]
    assert site.build(env={"APIMASTER_API_KEY": KEY}).code == 0
    assert len(service.of("submit")) == 2


def test_a_plan_names_the_process_that_has_a_picture_in_hand(service, site):
    """While a build runs, `gptimage plan` says which process is making what, and that it is nothing to pay for."""
    service.batch = Slow(service)
    with started(site) as first:
        until(lambda: len(service.of("submit")) == len(PROMPTS))
        planned = site.gptimage("plan", "--json")
        service.batch.is_over.set()
        code, said = ended(first)
    pictures = json.loads(planned.out)["pictures"]

    assert code == 0, said
    assert planned.code == 1
    assert {picture["state"] for picture in pictures} == {"in hand"}
    assert {picture["detail"] for picture in pictures} == {f"process {first.pid}"}


@pytest.mark.parametrize("begins", ["together", "later"])
def test_builds_for_two_stores_pay_once(service, site, begins):
    """Builds that run at a time for two stores of a project submit each picture once, whichever of them began first."""
    numbers = iter(range(99))
    service.submit = lambda _: accepts(f"t{next(numbers)}", wait=1.5)
    options = {"api": {"base_url": service.base_url, **FAST, "max_requests": 1}}
    site.configure(gptimage=options)
    with started(site, site_dir="site") as first:
        if begins == "later":
            until(lambda: service.of("submit"))
        # The host of the first build has read its configuration when it submits; else it reads one of the two.
        other = yaml.safe_load((site.root / "mkdocs.yml").read_text())
        other["plugins"] = [{"gptimage": {**options, "store": "pictures"}}]
        name = "mkdocs.yml" if begins == "later" else "mkdocs.other.yml"
        (site.root / name).write_text(yaml.safe_dump(other))
        with started(site, "-f", name, site_dir="other") as second:
            said = [ended(first)[1], ended(second)[1]]

    assert submitted(service) == sorted(PROMPTS), said
    assert not any("Traceback" in each for each in said)
    stores = (site.store, site.root / "pictures")
    assert len({path.stem for store in stores for path in store.glob("??/*.png")}) == len(PROMPTS)
