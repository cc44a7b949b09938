"""Does work with less memory or fewer open files than it needs, and prints what came of it.

Run as `limited.py WHAT FOLDER`; each trial is a fork of its own, as a limit that was lowered stays.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MEGABYTE = 1024 * 1024
_MEMORY = [each * _MEGABYTE for each in (0, 1, 4, 8, 16, 24, 32, 44, 64)]
_SIZE = (2000, 1400)
_MOST_FILES = 64


def outcomes(what: str, folder: Path) -> list[tuple[str, int, str]]:
    """Return (work, limit, `ok` or the type and the text of the error) of all trials of a kind."""
    done = subprocess.run(
        [sys.executable, __file__, what, str(folder)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def _main(what: str, folder: Path) -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    {"memory": _with_little_memory, "files": _with_few_files}[what](folder)


def _with_little_memory(folder: Path) -> None:
    from mkdocs_gptimage.imagefile.verify import verify_image
    from mkdocs_gptimage.publish import build
    from mkdocs_gptimage.publish.manifest import RenditionRequest
    from mkdocs_gptimage.store.verify import measure

    for kind in ("PNG", "JPEG", "WEBP"):
        entry = _stored(folder, kind)
        _try(f"check {kind}", _memory(_MEMORY), lambda path=entry.path: verify_image(path))
        _try(f"compare {kind}", _memory(_MEMORY), lambda path=entry.path: _known(measure(path)))
        _try(f"decode {kind}", _memory(_MEMORY), lambda e=entry: build._verified(e).opened())
    picture = build._verified(entry).opened()

    class Ready:
        @staticmethod
        def result() -> Any:
            return picture

    for kind in ("webp", "avif"):
        _try(f"encode {kind}", _memory(_MEMORY), lambda kind=kind: build._encoded(Ready(), RenditionRequest(kind), b""))


def _with_few_files(folder: Path) -> None:
    import harness
    from factories import put

    from mkdocs_gptimage.fs import PARTS
    from mkdocs_gptimage.journal.journal import open_journal
    from mkdocs_gptimage.maintenance.prune import find_prunable
    from mkdocs_gptimage.plan.orphans import find_orphans
    from mkdocs_gptimage.publish.renditions import derive_renditions
    from mkdocs_gptimage.settings import Output
    from mkdocs_gptimage.spec.model import ImageSpec
    from mkdocs_gptimage.store.audit import find_leftovers, verify_all

    site = harness.Site(harness.settings(folder, "http://127.0.0.1:9/v1"), harness.catalog("a", "b"))
    entry = put(site.store, ImageSpec("a"))
    misplaced = put(site.store, ImageSpec("b"))
    for path in (misplaced.path, misplaced.path.with_suffix(".json")):
        (site.settings.store / "elsewhere").mkdir(exist_ok=True)
        path.rename(site.settings.store / "elsewhere" / path.name)
    with open_journal(site.settings.cache):
        pass
    (site.settings.cache / PARTS).mkdir(exist_ok=True)
    output = Output(formats=("webp",), widths=(16,))
    site.plan()
    works = {
        "look up": lambda: _known(site.store.entry(entry.digest)),
        "compare": lambda: _known(site.store.verify(entry.digest)),
        "list": lambda: _equal(len(site.store.digests()), 1),
        "look for what is misplaced": lambda: _known(site.store.get(misplaced.digest)),
        "orphans": lambda: _equal(len(find_orphans(site.store, ())), 1),
        "leftovers": lambda: find_leftovers(site.store, [entry.digest]),
        "review": lambda: _equal(str(verify_all(site.store, [entry.digest])[entry.digest]), str(entry)),
        "plan": lambda: _equal([state.name for state in site.states()], ["CACHED", "BROKEN"]),
        "journal": site.submissions,
        "open the journal": lambda: _equal(_opened(open_journal, site), True),
        "derive": lambda: _equal(
            type(derive_renditions([entry], output, site.settings.cache)[entry.digest]).__name__, "RenditionSet"
        ),
        "prune": lambda: find_prunable([], set(), site.pictures, site.store, site.settings.cache),
        "store": lambda: put(site.store, ImageSpec("c")),
    }
    for name, work in works.items():
        work()
        _try(name, _files(range(14)), work)


def _opened(open_journal: Any, site: Any) -> bool:
    with open_journal(site.settings.cache) as opened:
        opened.submissions()
    return True


def _known(found: Any) -> None:
    if found is None:
        raise AssertionError("taken for something that is not there")


def _equal(found: Any, expected: Any) -> None:
    if found != expected:
        raise AssertionError(f"found {found!r}")


def _stored(folder: Path, kind: str) -> Any:
    from PIL import Image

    from mkdocs_gptimage.spec.model import ImageSpec
    from mkdocs_gptimage.store.record import ImageFacts, Provenance
    from mkdocs_gptimage.store.store import Store

    file, spec = io.BytesIO(), ImageSpec(kind)
    Image.effect_noise(_SIZE, 40).convert("RGB").save(file, kind, quality=80)
    data, part = file.getvalue(), folder / "part"
    part.write_bytes(data)
    ending = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}[kind]
    facts = ImageFacts(hashlib.sha256(data).hexdigest(), len(data), *_SIZE, ending)
    made = Provenance("2026-11-23T21:16:57Z", "api.example", "t", 1.0, None)
    return Store(folder / "gptimage").put(spec.canonical, spec.digest, part, facts, made)


def _try(name: str, limits: Iterable[tuple[int, Callable[[], None]]], work: Callable[[], Any]) -> None:
    for number, limit in limits:
        sys.stdout.flush()
        if os.fork():
            os.wait()
            continue
        limit()
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - whatever it is, is told
            said = f"{type(error).__name__}: {error}"
        else:
            said = "ok"
        resource.setrlimit(resource.RLIMIT_AS, _hard(resource.RLIMIT_AS))
        os.write(1, f"{json.dumps([name, number, said])}\n".encode())
        os._exit(0)


def _hard(kind: int) -> tuple[int, int]:
    hard = resource.getrlimit(kind)[1]
    return hard, hard


def _memory(numbers: Iterable[int]) -> Iterable[tuple[int, Callable[[], None]]]:
    """So many bytes more than the process has."""
    for number in numbers:
        yield (
            number,
            lambda number=number: resource.setrlimit(
                resource.RLIMIT_AS, (_size() + number, _hard(resource.RLIMIT_AS)[1])
            ),
        )


def _size() -> int:
    return int(Path("/proc/self/status").read_text().partition("VmSize:")[2].split()[0]) * 1024


def _files(numbers: Iterable[int]) -> Iterable[tuple[int, Callable[[], None]]]:
    """So many files more than are open."""
    for number in numbers:
        yield number, lambda number=number: _leave(number)


def _leave(number: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_FILES, _hard(resource.RLIMIT_NOFILE)[1]))
    opened = []
    with contextlib.suppress(OSError):
        while True:
            opened.append(os.dup(0))
    for handle in opened[:number]:
        os.close(handle)


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
