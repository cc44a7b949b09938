from __future__ import annotations

import asyncio
import builtins
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

from mkdocs_gptimage.emulator import EmulatorUnavailableError, Settings, create_app, serving

KEY = {"Authorization": "Bearer sk-test"}
BODY = {"model": "gpt-image-2", "prompt": "hills", "size": "16x16"}


def test_serving_leaves_no_thread_behind():
    """After the context no thread is left and the port is closed."""
    before = set(threading.enumerate())
    with serving(Settings()) as base_url:
        httpx.post(f"{base_url}/images/generations", json=BODY, headers=KEY).raise_for_status()
    with pytest.raises(httpx.ConnectError):
        httpx.get(base_url)

    assert set(threading.enumerate()) <= before


def test_shutdown_does_not_wait_for_kept_connections():
    """A client that keeps its connection open does not hold up the end of a build."""
    with httpx.Client(headers=KEY) as client:
        with serving(Settings()) as base_url:
            client.post(f"{base_url}/images/generations", json=BODY).raise_for_status()
            started = time.perf_counter()
        took = time.perf_counter() - started

    assert took < 1.5


@pytest.mark.parametrize(
    ("settings", "status"),
    [(Settings(submit_seconds=60), 200), (Settings(synchronous=True, latency=(60, 60)), 503)],
    ids=["held back", "synchronous"],
)
def test_shutdown_releases_a_submit_that_is_held_back(settings, status):
    """A submit that waits for its answer gets one when the server goes down."""
    answers = []

    def submit(base_url: str) -> None:
        answers.append(httpx.post(f"{base_url}/images/generations", json=BODY, headers=KEY, timeout=30))

    with serving(settings) as base_url:
        thread = threading.Thread(target=submit, args=(base_url,))
        thread.start()
        while httpx.get(base_url.replace("/v1", "/stats")).json()["accepted"] == 0:
            time.sleep(0.01)
    thread.join(5)

    assert [answer.status_code for answer in answers] == [status]


def test_submit_is_held_back_after_it_was_accepted():
    """A client that stops waiting for a slow answer has still made a task."""
    with serving(Settings(submit_seconds=0.4)) as base_url:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{base_url}/images/generations", json=BODY, headers=KEY, timeout=0.1)
        stats = httpx.get(base_url.replace("/v1", "/stats")).json()

        assert stats["accepted"] == 1


def test_taken_port_is_an_os_error():
    """A port that is in use is reported as what it is."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"), serving(Settings(), port=port):
            pass


def test_failure_inside_the_context_comes_out():
    """What goes wrong inside the context comes out of it after the server went down."""
    with pytest.raises(KeyError), serving(Settings()):
        raise KeyError


def test_a_crowd_is_served_quickly():
    """200 tasks, 64 submits at a time, cost the server little: all are accepted and polled in seconds."""
    started = time.perf_counter()
    with serving(Settings(latency=(0.1, 0.3), picture=b"\x89PNG")) as base_url:
        done = asyncio.run(_crowd(base_url, 200))
        stats = httpx.get(base_url.replace("/v1", "/stats")).json()

    assert done == 200
    assert (stats["submits"], stats["accepted"]) == (200, 200)
    assert 1 <= stats["peak_submits"] <= 64
    assert time.perf_counter() - started < 15


async def _crowd(base_url: str, count: int) -> int:
    """Submit, then poll in batches until all is done."""
    limits = httpx.Limits(max_connections=16)
    async with httpx.AsyncClient(base_url=base_url, headers=KEY, limits=limits, timeout=30) as client:
        gate = asyncio.Semaphore(64)

        async def submit(number: int) -> str:
            async with gate:
                answer = await client.post("images/generations", json={**BODY, "prompt": f"picture {number}"})
                return str(answer.json()["data"][0]["task_id"])

        ids = await asyncio.gather(*(submit(number) for number in range(count)))
        done: set[str] = set()
        while len(done) < count:
            await asyncio.sleep(0.05)
            for start in range(0, count, 100):
                answer = await client.post("tasks/batch", json={"task_ids": ids[start : start + 100]})
                done |= {task["id"] for task in answer.json()["data"] if task["status"] == "completed"}
        return len(done)


def test_downloads_with_a_key_are_counted():
    """A download that sends the API key is served, and counted as a leak."""
    with serving(Settings(latency=(0, 0), picture=b"\x89PNG")) as base_url:
        answer = httpx.post(f"{base_url}/images/generations", json=BODY, headers=KEY)
        task_id = answer.json()["data"][0]["task_id"]
        task = httpx.get(f"{base_url}/tasks/{task_id}", headers=KEY).json()["data"]
        url = task["result"]["images"][0]["url"][0]
        for headers in ({}, KEY):
            httpx.get(url, headers=headers).raise_for_status()
        stats = httpx.get(base_url.replace("/v1", "/stats")).json()

    assert (stats["downloads"], stats["downloads_with_key"], stats["polls"]) == (2, 1, 1)


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "PIL"])
def test_missing_extra_says_what_to_install(monkeypatch, missing):
    """Without the extra's packages the error names the command that installs them."""
    real = builtins.__import__

    def without(name, *args):
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args)

    for name in [name for name in sys.modules if name.startswith("mkdocs_gptimage.emulator.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("builtins.__import__", without)
    monkeypatch.delattr("mkdocs_gptimage.emulator.app", raising=False)
    monkeypatch.delattr("mkdocs_gptimage.emulator.server", raising=False)

    with pytest.raises(EmulatorUnavailableError, match=r"pip install 'mkdocs-gptimage\[emulator\]'"):
        create_app(Settings()) if missing != "uvicorn" else serving(Settings()).__enter__()


def test_import_is_light():
    """Importing the package loads neither the server nor the painter."""
    code = (
        "import sys, mkdocs_gptimage.emulator;"
        "print(sorted({'starlette', 'uvicorn', 'PIL', 'asyncio'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_foreground_ends_with_ctrl_c():
    """In the foreground the server announces its address and ends quietly with an interrupt."""
    code = (
        "from mkdocs_gptimage.emulator import Settings, run;"
        "run(Settings(), port=0, ready=lambda url: print(url, flush=True))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    base_url = process.stdout.readline().strip()
    status = httpx.get(f"{base_url}/tasks/task_NONE").status_code
    process.send_signal(2)
    _, errors = process.communicate(timeout=10)

    assert status == 401
    assert (process.returncode, errors) == (0, "")
