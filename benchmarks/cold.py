"""Cold builds: hundreds of pictures from an emulated service in another process, at the scale of the real one.

The reference is what cannot be had faster: the slowest picture, one submit before it and one download after it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import sites

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
KEY = {"Authorization": "Bearer benchmark"}
# Factor over the reference, by pictures.
TARGETS = {100: 1.05, 500: 1.20}


@contextlib.contextmanager
def service() -> Iterator[str]:
    """The emulated service, idle and with its counters at zero."""
    process = subprocess.Popen([sys.executable, HERE / "service.py"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def configure(folder: Path, base_url: str, options: Any) -> Path:
    """Write the configuration of a site whose pictures come from the service."""
    api = (
        f"{{base_url: '{base_url}', key_env: BENCHMARK_API_KEY, max_requests: {options.requests}, "
        f"first_poll: {options.first}, poll_interval: {options.interval}}}"
    )
    plugin = f"{{on_missing: generate, budget: {{images: null}}, api: {api}}}"
    return sites.configure(folder, "with", f"[{{{sites.PLUGIN}: {plugin}}}]")


def single(base_url: str) -> tuple[float, float]:
    """Seconds of one submit and of one download, the median of five each, from an otherwise idle service."""
    submits, downloads = [], []
    with httpx.Client(headers=KEY) as client:
        body = {"model": "gpt-image-2", "n": 1, "resolution": "1k", "size": "1:1"}
        tasks = []
        for number in range(6):
            started = time.perf_counter()
            answer = client.post(f"{base_url}/images/generations", json={**body, "prompt": f"Alone {number}"})
            submits.append(time.perf_counter() - started)
            tasks.append(answer.json()["data"][0]["task_id"])
        found: list[dict[str, Any]] = []
        while not found:
            time.sleep(1)
            found = [task for task in ask(client, base_url, tasks) if task["status"] == "completed"]
        for _ in range(6):
            started = time.perf_counter()
            client.get(found[0]["result"]["images"][0]["url"][0])
            downloads.append(time.perf_counter() - started)
    # The first of each also opens the connection.
    return sorted(submits[1:])[2], sorted(downloads[1:])[2]


def ask(client: httpx.Client, base_url: str, tasks: list[str]) -> list[dict[str, Any]]:
    """What the service says of these tasks."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(tasks), 100):
        answer = client.post(f"{base_url}/tasks/batch", json={"task_ids": tasks[start : start + 100]})
        found += answer.json()["data"]
    return found


def generate(folder: Path, pictures: int, options: Any) -> tuple[dict[str, Any], sites.Run]:
    """Build a site of `pictures` pages once; return what was seen, and the measure of the process."""
    with service() as base_url:
        config = configure(folder, base_url, options)
        run = sites.run(str(HERE / "observed.py"), str(config), BENCHMARK_API_KEY="benchmark")
        seen: dict[str, Any] = json.loads(run.output.splitlines()[-1])
        with httpx.Client(headers=KEY) as client:
            seen["stats"] = client.get(base_url.removesuffix("/v1") + "/stats").json()
            seen["slowest"] = max(task["actual_time"] for task in ask(client, base_url, seen["tasks"]))
    if seen["stored"] != pictures:
        raise SystemExit(f"{seen['stored']} of {pictures} pictures were stored")
    return seen, run


def measure(pictures: int, idle: tuple[float, float], options: Any) -> None:
    """All figures for one number of pictures."""
    walls, ratios, requests, cpus, peaks, differences, singles = [], [], [], [], [], [], []
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
            folder = Path(name, "site")
            sites.write_site(folder, pictures, blocks=True)
            plain = sites.build(sites.configure(folder, "without", "[]"))
            seen, run = generate(folder, pictures, options)
        walls.append(seen["last_store"] - seen["first_submit"])
        ratios.append(walls[-1] / (seen["slowest"] + sum(idle)))
        stats = seen["stats"]
        requests.append(sum(stats[name] for name in ("submits", "polls", "batch_polls", "downloads")) / pictures)
        singles.append(stats["polls"])
        cpus.append(1000 * seen["cpu"] / pictures)
        peaks.append(run.peak / 1e6)
        differences.append((run.peak - plain.peak) / 1e6)
        reference = seen["slowest"] + sum(idle)
    sites.row(f"{pictures} pictures: reference", "", f"{reference:.2f} s")
    sites.row("  first submit to last store", "", sites.summary(walls, "s", 2))
    sites.row("  over the reference", f"{TARGETS.get(pictures, '')}", sites.summary(ratios, ""))
    sites.row("  requests per picture", "2.25", sites.summary(requests, ""))
    sites.row("  polls of a single task", "0", str(sum(singles)))
    sites.row("  client CPU per picture", "10 ms", sites.summary(cpus, "ms", 2))
    sites.row("  peak memory", "", sites.summary(peaks, "MB", 1))
    sites.row("  peak memory over a build without the plugin", "80 MB", sites.summary(differences, "MB", 1))


def main() -> None:
    options = sites.arguments(
        __doc__,
        ("runs", int, 2, "builds for each number of pictures"),
        ("pictures", str, "100,500", "numbers of pictures"),
        ("requests", int, 64, "max_requests"),
        ("first", float, 8.25, "first_poll, seconds"),
        ("interval", float, 1.0, "poll_interval, seconds"),
    )
    with service() as base_url:
        idle = single(base_url)
    sites.row("one submit, one download, service idle", "", f"{1000 * idle[0]:.1f} ms, {1000 * idle[1]:.1f} ms")
    for pictures in map(int, options.pictures.split(",")):
        measure(pictures, idle, options)


if __name__ == "__main__":
    main()
