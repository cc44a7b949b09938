"""A child process that generates images and reports outcomes and peak memory.

Jobs come as lines of JSON on stdin; for each, one line of JSON goes to stdout.
"""

from __future__ import annotations

import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import harness
from scripted_service import picture

from mkdocs_gptimage.generate import collect as collecting
from mkdocs_gptimage.generate import executor as generation
from mkdocs_gptimage.generate import retry
from mkdocs_gptimage.imagefile.verify import verify_image
from mkdocs_gptimage.service import client
from mkdocs_gptimage.spec.model import ImageSpec
from mkdocs_gptimage.spec.references import ReferenceResolver

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class MemoryResult:
    """What became of the pictures of one job."""

    steps: list[str]
    problems: list[str]
    kept: list[str]
    """What the journal holds of each picture afterwards; empty for nothing."""
    files: list[str]
    """Of the store, unfinished downloads, and temporary ones."""
    seconds: float
    grown: float
    """MiB that the process has taken at most, so far, above the peak after decoding small images."""


@dataclass(frozen=True)
class MemoryProbe:
    """The handle of the child process."""

    process: subprocess.Popen[str]

    def measure(
        self, root: Path, base_url: str, *prompts: str, patience: float = 30, reference: int = 0, **api: Any
    ) -> MemoryResult:
        """Make a picture for each prompt in a folder that is new; an answer may take so many seconds.

        `reference` are the bytes of an image that each is drawn from, none by default.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        job = {"root": str(root), "base_url": base_url, "prompts": prompts, "api": api, "patience": patience}
        job["reference"] = reference
        print(json.dumps(job), file=self.process.stdin, flush=True)
        return MemoryResult(**json.loads(self.process.stdout.readline()))


@contextlib.contextmanager
def start_probe() -> Iterator[MemoryProbe]:
    """Start the process; it ends with the context."""
    tests = str(Path(__file__).parent)
    command = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {tests!r}); import memory_probe; memory_probe.work()",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield MemoryProbe(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def work() -> None:
    """Do jobs until stdin ends."""
    _warm_up()
    base = _peak()
    for line in sys.stdin:
        print(json.dumps(asdict(_made(json.loads(line), base))), flush=True)  # noqa: T201 - the protocol


def _warm_up() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("PNG", "JPEG", "WEBP"):
            path = Path(folder) / kind
            path.write_bytes(picture(kind))
            verify_image(path)


def _made(job: dict[str, Any], base: float) -> MemoryResult:
    client._POLL_ANSWER_SECONDS = collecting._DOWNLOAD_SECONDS = job["patience"]
    # Faults of submits are tried side by side.
    retry.UNKNOWN_IN_A_ROW, generation._TRIAL_SECONDS = 1000, 0.0
    root = Path(job["root"])
    temporary = root / "tmp"
    temporary.mkdir()
    tempfile.tempdir = str(temporary)
    specs = [_spec(prompt, root, job["reference"]) for prompt in job["prompts"]]
    site = harness.Site(harness.settings(root, job["base_url"], api=job["api"]), harness.catalog(*specs))
    start = time.monotonic()
    outcomes = site.generate()
    submissions = site.submissions()
    return MemoryResult(
        steps=harness.steps(outcomes),
        problems=[outcome.problem for outcome in outcomes],
        kept=[submissions[digest].stage.name if digest in submissions else "" for digest in site.digests],
        files=site.files() + [path.name for path in temporary.iterdir()],
        seconds=time.monotonic() - start,
        grown=_peak() - base,
    )


def _spec(prompt: str, root: Path, reference: int) -> ImageSpec:
    if not reference:
        return ImageSpec(prompt)
    path = root / f"{prompt}.png"
    path.write_bytes(picture() + prompt.encode() + bytes(reference))
    return ImageSpec(prompt, size=None, references=(ReferenceResolver(root, root).resolve(path.name, root),))


def _peak() -> float:
    """Peak memory of this process in MiB.

    Linux hands `ru_maxrss` on from the process that started this one; `VmHWM` begins anew.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2  # macOS counts bytes
