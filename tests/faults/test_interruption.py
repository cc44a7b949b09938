"""Ctrl-C and SIGTERM: the end comes soon, nothing new is submitted, and the next build collects what is paid for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from scripted_service import KEY, Answer, accepts, fails, picture, says, task
from sites import FAST, Site

ENDS = {signal.SIGINT: 1, signal.SIGTERM: 128 + signal.SIGTERM}
SECONDS = 2.0
PAGE = "".join(f"```gpt-image\nprompt: {prompt}\n```\n\n" for prompt in ("an owl", "a fox", "a hare"))


@pytest.fixture
def site(service, tmp_path):
    made = Site(tmp_path)
    made.write({"index.md": PAGE})
    made.configure(gptimage={"api": {"base_url": service.base_url, "max_requests": 2, **FAST}})
    return made


def interrupted(site, number, is_time, *arguments, **env):
    """Start a build, end it when it `is_time`; (exit code, what it said, seconds from the signal to the end)."""
    command = [sys.executable, *(arguments or ("-m", "mkdocs", "build"))]
    env = {**os.environ, "APIMASTER_API_KEY": KEY, "NO_COLOR": "1", **env}
    with subprocess.Popen(command, cwd=site.root, env=env, stderr=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + 20
        while not is_time():
            assert time.monotonic() < end
            time.sleep(0.02)
        time.sleep(0.2)
        process.send_signal(number)
        start = time.monotonic()
        try:
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()
    return process.returncode, said, time.monotonic() - start


def processing(request):
    return says({"data": [task(each, "processing") for each in request.json["task_ids"]]})


def tasks_in_flight(service):
    """All tasks are accepted and worked on."""
    numbers = iter(range(9))
    service.submit = lambda _: accepts(f"t{next(numbers)}")
    service.batch = processing
    return lambda: len(service.of("batch")) > 0 and len(service.of("submit")) == 3


def answer_outstanding(service):
    """The service takes half a minute to answer the first submit."""
    service.submit = accepts("t0", wait=30)
    return lambda: len(service.of("submit")) == 1


def asked_to_wait(service):
    """The service has asked for ten minutes of patience."""
    service.submit = fails(429, retry_after="600")
    return lambda: len(service.of("submit")) == 1


def polls_unanswered(service):
    """Polls hang."""
    numbers = iter(range(9))
    service.submit = lambda _: accepts(f"t{next(numbers)}")
    service.batch = Answer(wait=30)
    return lambda: len(service.of("batch")) > 0


def downloads_drip(service):
    """The pictures come byte by byte."""
    numbers = iter(range(9))
    service.submit = lambda _: accepts(f"t{next(numbers)}")
    service.download = Answer(body=picture(), drip=0.5)
    return lambda: len(service.of("download")) > 0


SITUATIONS = {
    tasks_in_flight: (3, 0),
    answer_outstanding: (0, 1),
    asked_to_wait: (0, 0),
    polls_unanswered: (3, 0),
    downloads_drip: (3, 0),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_run_that_is_ended_ends_soon_and_loses_nothing(service, site, situation):
    """The process ends within two seconds, says what becomes of its pictures, and the next build pays none twice."""
    is_time = situation(service)
    in_flight, unknown = SITUATIONS[situation]
    code, said, seconds = interrupted(site, signal.SIGTERM, is_time)
    sent = {request.json["prompt"] for request in service.of("submit")} if in_flight + unknown else set()
    service.requests.clear()
    service.submit = lambda request: accepts(f"later-{request.json['prompt'].split()[1]}")
    service.batch = lambda request: says({"data": list(map(service.finished, request.json["task_ids"]))})
    service.download = Answer(body=picture())
    again = site.build(env={"APIMASTER_API_KEY": KEY})

    assert (code, seconds < SECONDS) == (ENDS[signal.SIGTERM], True), (said, seconds)
    assert "Traceback" not in said
    expected = f"Interrupted: {in_flight} in flight, which the next build collects without paying again"
    expected += f"; {unknown} with an unknown outcome, which the next build names" if unknown else ""
    assert (expected if in_flight + unknown else "Interrupted: nothing is in flight") in said.splitlines()[-1]
    assert not sent & {request.json["prompt"] for request in service.of("submit")}
    assert again.code == (1 if unknown else 0), again.err


@pytest.mark.parametrize("command", ["build", "generate"])
def test_ctrl_c_ends_as_sigterm_does(service, site, command):
    """Ctrl-C ends a build and `gptimage generate` within two seconds, with the same words, and without a traceback."""
    is_time = tasks_in_flight(service)
    program = {"build": ("-m", "mkdocs", "build"), "generate": ("-c", "from mkdocs_gptimage.cli import main; main()")}
    arguments = (*program[command], *(("generate",) if command == "generate" else ()))
    code, said, seconds = interrupted(site, signal.SIGINT, is_time, *arguments)

    assert (code, seconds < SECONDS) == (ENDS[signal.SIGINT], True), (said, seconds)
    assert "Interrupted: 3 in flight, which the next build collects without paying again" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_link_of_a_synchronous_answer_survives(service, site, number):
    """A picture that the service gave at once and that was not stored is downloaded by the next build, for free."""
    service.submit = lambda request: says({"data": [{"url": f"{service.origin}/{request.json['prompt'][-3:]}.png"}]})
    service.download = Answer(404)
    interrupted(site, number, lambda: len(service.of("submit")) == 3 and len(service.of("download")) > 3)
    service.requests.clear()
    service.download = Answer(body=picture())
    again = site.build(env={"APIMASTER_API_KEY": KEY})

    assert again.code == 0, again.err
    assert service.counts() == {"download": 3}


SLOW_NAMES = """
import socket, time, pathlib
def slow(*_, **__):
    pathlib.Path({sign!r}).touch()
    time.sleep(60)
socket.getaddrinfo = slow
"""


def test_a_name_that_does_not_resolve_holds_up_nothing(site, tmp_path):
    """A resolver that takes a minute does not keep an interrupted build alive; nothing was submitted."""
    sign = tmp_path / "asked"
    (tmp_path / "startup").mkdir()
    (tmp_path / "startup" / "sitecustomize.py").write_text(SLOW_NAMES.format(sign=str(sign)))
    site.configure(gptimage={"api": {"base_url": "https://images.example/v1", **FAST}})
    code, said, seconds = interrupted(site, signal.SIGTERM, sign.exists, PYTHONPATH=str(tmp_path / "startup"))

    assert (code, seconds < SECONDS) == (ENDS[signal.SIGTERM], True), (said, seconds)
    assert "Traceback" not in said


def test_a_build_that_fails_leaves_no_thread(service, site):
    """A build that fails for a refused key ends by itself, soon after the answer."""
    answered = threading.Event()

    def submit(_):
        answered.set()
        return fails(401, "bad key")

    service.submit = submit
    start = time.monotonic()
    failed = site.build(env={"APIMASTER_API_KEY": KEY})

    assert answered.is_set()
    assert failed.code == 1
    assert time.monotonic() - start < 10
    assert not list(Path(site.root, "gptimage/.journal/runs").glob("*.lock"))
