"""Commands that move files of the store, killed before and after every call that changes one."""

from __future__ import annotations

import itertools
import os
import signal
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import scripted_service
from factories import put
from sites import FAST, Site, block

from mkdocs_gptimage.plan.orphans import candidate_variant, find_orphans
from mkdocs_gptimage.spec.model import ImageSpec
from mkdocs_gptimage.store.entry import Damage, Entry
from mkdocs_gptimage.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from forkserver import Forkserver
    from scripted_service import ScriptedService

KEY = {"APIMASTER_API_KEY": scripted_service.KEY}
CAT, DOG, UNUSED, MISSING = map(ImageSpec, ("A cat", "A dog", "An unused picture", "A fox"))
CANDIDATE = replace(CAT, variant=candidate_variant(1, CAT.digest))
NEW = scripted_service.picture(size=(32, 18)) + b"new"
MOVES = {
    "store": ("generate",),
    "regenerate": ("regenerate", CAT.digest),
    "accept": ("regenerate", "--accept", CANDIDATE.digest),
    "prune": ("prune", "--apply"),
}
FUNCTIONS = (
    "os:fsync",
    "os:link",
    "shutil:copyfile",
    "pathlib:Path.replace",
    "pathlib:Path.rename",
    "pathlib:Path.unlink",
    "pathlib:Path.rmdir",
)
_LONG_AGO = 7200


@dataclass
class MoveResult:
    """What became of one kill."""

    point: str
    damaged: int = 0
    """Pictures that the kill left damaged, until the command was repeated."""
    submits: int = 0
    problems: list[str] = field(default_factory=list)


def trials(root: Path, commands: Forkserver, moves: Iterable[str]) -> Iterator[MoveResult]:
    """Kill each command before and after every one of its calls, and yield what became of it."""
    for move, function in itertools.product(moves, FUNCTIONS):
        for number in itertools.count(1):
            results = [try_once(root, commands, move, f"{function} {number} {side}") for side in ("before", "after")]
            yield from filter(None, results)
            if None in results:  # there is no such call any more
                break


def try_once(root: Path, commands: Forkserver, move: str, crash: str) -> MoveResult | None:
    """Kill a command at a call of a function, as `crash.py` takes it; None when it ended before that call."""
    with tempfile.TemporaryDirectory(dir=root) as folder, scripted_service.serving() as service:
        return _Trial(Path(folder), commands, service, move).run(crash)


class _Trial:
    """A site with pictures, an unused one and perhaps a candidate; one command, killed and repeated."""

    def __init__(self, root: Path, commands: Forkserver, service: ScriptedService, move: str) -> None:
        self._site, self._commands, self._service, self._move = Site(root), commands, service, move
        service.download = scripted_service.Answer(body=NEW)
        self._site.configure(gptimage={"api": {"base_url": service.base_url, **FAST}})
        blocks = [CAT, DOG, *([MISSING] if move == "store" else [])]
        self._site.write({"index.md": "".join(block(prompt=each.prompt) for each in blocks)})
        for spec in (CAT, DOG, UNUSED):
            self._age(put(self._store, spec).path.with_suffix(".json"))
        if move == "accept":
            put(self._store, CANDIDATE, NEW)

    @property
    def _store(self) -> Store:
        return Store(self._site.store)

    def run(self, crash: str) -> MoveResult | None:
        """Kill the command at a call, and repeat it; None when it ended before that call."""
        command = MOVES[self._move]
        done = self._commands.run(self._site.root, "gptimage", *command, env={**KEY, "GPTIMAGE_CRASH": crash})
        if done.code != -signal.SIGKILL:
            assert done.code == 0, done.err
            return None
        result = MoveResult(f"{self._move}: {crash}")
        self._look(result)
        self._repeat(result)
        self._finish(result)
        return result

    def _look(self, result: MoveResult) -> None:
        """Damage says what mends it, and what was not to be touched is whole."""
        for spec in (CAT, DOG, MISSING):
            found = self._store.verify(spec.digest)
            if isinstance(found, Damage):
                result.damaged += 1
                is_in_flight = self._move == "store" and spec is MISSING
                if "gptimage regenerate --accept" not in found.remedy and not is_in_flight:
                    result.problems.append(f"{spec.prompt}: {found.reason}. {found.remedy}")
        if not isinstance(self._store.verify(DOG.digest), Entry):
            result.problems.append("a picture that had no part in it is not whole")

    def _repeat(self, result: MoveResult) -> None:
        """Repeat the command, or accept the candidate that it has left."""
        done = self._commands.run(self._site.root, "gptimage", *MOVES[self._move], env=KEY)
        candidates = [orphan.digest for orphan in find_orphans(self._store, ()) if orphan.candidate_of]
        if self._move == "regenerate" and candidates:
            done = self._commands.run(self._site.root, "gptimage", "regenerate", "--accept", candidates[0], env=KEY)
        if done.code and "there are none" not in done.err:
            result.problems.append(f"repeated: {done.err.strip()}")

    def _finish(self, result: MoveResult) -> None:
        result.submits = len(self._service.of("submit"))
        most = {"store": 1, "regenerate": 2 if self._regenerated_twice() else 1}.get(self._move, 0)
        if result.submits > most:
            result.problems.append(f"{result.submits} submits")
        cat = self._store.verify(CAT.digest)
        replaced = self._move in ("accept", "regenerate")
        if not isinstance(cat, Entry) or (cat.path.read_bytes() == NEW) != replaced:
            result.problems.append(f"the picture in the end: {cat}")
        for path in [*self._site.store.rglob("*"), *(self._site.root / ".cache").rglob("*")]:
            if path.is_file():
                self._age(path)
        self._commands.run(self._site.root, "gptimage", "prune", "--apply", env=KEY)
        pairs = 3 if self._move == "store" else 2
        left = sorted(
            path.name for path in self._site.store.rglob("*") if path.is_file() and ".journal" not in path.parts
        )
        if len(left) != 2 * pairs:
            result.problems.append(f"files in the store in the end: {left}")
        checked = self._commands.run(self._site.root, "gptimage", "check", env=KEY)
        if checked.code:
            result.problems.append(f"check: {checked.out.strip()} {checked.err.strip()}")

    def _regenerated_twice(self) -> bool:
        """Whether the kill came when all was done: to repeat the command is to draw another picture."""
        return len(self._service.of("download")) == len(self._service.of("submit"))

    @staticmethod
    def _age(path: Path) -> None:
        os.utime(path, (time.time() - _LONG_AGO,) * 2)
