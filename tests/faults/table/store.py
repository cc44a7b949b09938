"""Faults of the store: the picture has arrived, and cannot be kept."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from scripted_service import Answer, accepts, encoded, picture, says

from mkdocs_gptimage.fs import sha256_of_file
from mkdocs_gptimage.generate import collect as collecting
from mkdocs_gptimage.journal.journal import Journal
from mkdocs_gptimage.owned_folder import PARTS
from mkdocs_gptimage.store.record import ImageFacts, Provenance

from .cells import LEFT, MADE, NOT_BEGUN, UNKNOWN, Cell, World

if TYPE_CHECKING:
    from collections.abc import Callable

NO_SPACE = "cannot be stored: No space left on device"
_FACTS = {"width": 32, "height": 18, "format": "png"}


def _breaks(target: Any, name: str, number: int = errno.ENOSPC, *, calls: int = 0) -> Callable[[World], None]:
    """From the submit on, a call of the system fails with this error, after so many that work."""

    def happens(world: World) -> None:
        works, made = getattr(target, name), []

        def fail(*arguments: Any, **named: Any) -> Any:
            made.append(arguments)
            if len(made) > calls:
                raise OSError(number, os.strerror(number))
            return works(*arguments, **named)

        world.service.submit = _meanwhile(lambda: world.patch.setattr(target, name, fail))

    return happens


def _lacks(error: Exception, *, lasts: bool = True) -> Callable[[World], None]:
    """This process lacks what the check of a picture takes."""

    def happens(world: World) -> None:
        works, left = collecting.verify_image, [error]

        def fail(path: Path) -> Any:
            if left:
                raise left[0] if lasts else left.pop()
            return works(path)

        world.patch.setattr(collecting, "verify_image", fail)

    return happens


def _lacks_once(error: Exception) -> Callable[[World], None]:
    return _lacks(error, lasts=False)


def _meanwhile(happens: Callable[[], Any], answer: Answer | None = None) -> Callable[[Any], Answer]:
    """A submit during which something happens."""

    def answered(_: Any) -> Answer:
        happens()
        return answer or accepts("task_1")

    return answered


def _no_space_for_bytes(answer: Answer | None = None) -> Callable[[World], None]:
    """The unfinished download lies on a device that is full."""

    def happens(world: World) -> None:
        world.patch.setattr(collecting, "secrets", SimpleNamespace(token_hex=lambda _: "full"))
        part = world.site.settings.cache / PARTS / f"{world.site.digests[0]}-full"
        world.service.submit = _meanwhile(lambda: part.symlink_to("/dev/full"), answer)

    return happens


def _is_forbidden(world: World) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    world.patch.setattr("mkdocs_gptimage.store.store.sweep_unfinished", fail)


def _entry(world: World, ending: str = "png") -> Path:
    digest = world.site.digests[0]
    return world.site.settings.store / digest[:2] / f"{digest}.{ending}"


def _in_the_way(ending: str) -> Callable[[World], None]:
    """While the picture is made, create a folder where its file belongs."""

    def happens(world: World) -> None:
        path = _entry(world, ending)
        world.service.submit = _meanwhile(lambda: path.mkdir(parents=True))
        world.mends.append(path.rmdir)

    return happens


def _file_for_folder(world: World) -> None:
    """While the picture is made, create a file where its folder belongs."""
    folder = _entry(world).parent
    world.service.submit = _meanwhile(lambda: folder.write_text("in the way"))
    world.mends.append(folder.unlink)


BASE64 = says({"data": [{"b64_json": encoded(picture())}]})


def _put(world: World) -> None:
    """Another run stores the picture."""
    digest = world.site.digests[0]
    part = world.site.settings.project / "part"
    part.write_bytes(picture())
    made = Provenance("2026-11-25T00:00:00Z", "another", "t", 1.0, None)
    request = world.site.pictures.pictures[digest].spec.canonical
    facts = ImageFacts(sha256_of_file(part), len(picture()), **_FACTS)
    world.site.store.put(request, digest, part, facts, made)


def _appears_before_submit(world: World) -> None:
    claim = Journal.claim

    def claim_late(*arguments: Any) -> bool:
        _put(world)
        return claim(*arguments)

    world.patch.setattr(Journal, "claim", claim_late)
    world.charges.append("the other run's")


def _appears_during_submit(world: World) -> None:
    world.service.submit = _meanwhile(lambda: _put(world))


def _vanishes(*folders: str) -> Callable[[World], None]:
    """While the picture is made, delete folders."""

    def happens(world: World) -> None:
        root = world.site.settings.project
        world.service.submit = _meanwhile(lambda: [shutil.rmtree(root / folder) for folder in folders])

    return happens


ASKED = "submit batch download"
UNSTORED = "cannot be stored: "
LACKS_FILES, LACKS_MEMORY = f"{UNSTORED}too many open files; …", f"{UNSTORED}…not enough memory; …"
TRIED, TRIED_TWICE = f"{ASKED}×3", f"{ASKED}×2"

IN_STORE, IN_CACHE = ", in the store '…/gptimage'", ", in the cache '…/.cache/parts'"

CELLS = [
    Cell("no space at the bytes", _no_space_for_bytes(), LEFT, ASKED, f"{NO_SPACE}{IN_CACHE}"),
    Cell("no space at base64", _no_space_for_bytes(BASE64), UNKNOWN, "submit", f"submitted …: {NO_SPACE}{IN_CACHE}"),
    Cell("no space at the first fsync", _breaks(os, "fsync"), LEFT, ASKED, f"{NO_SPACE}{IN_STORE}"),
    Cell("no space at the second fsync", _breaks(os, "fsync", calls=1), LEFT, ASKED, f"{NO_SPACE}{IN_STORE}"),
    Cell(
        "a bad disk at fsync",
        _breaks(os, "fsync", errno.EIO),
        LEFT,
        ASKED,
        f"cannot be stored: Input/output error{IN_STORE}",
    ),
    *[
        Cell(
            f"{name} at the name", _breaks(Path, "replace", number), LEFT, ASKED, f"cannot be stored: {said}{IN_STORE}"
        )
        for name, number, said in (
            ("no quota", errno.EDQUOT, "Disk quota exceeded"),
            ("a read-only disk", errno.EROFS, "Read-only file system"),
        )
    ],
    Cell(
        "too many open files",
        _breaks(os, "fsync", errno.EMFILE),
        LEFT,
        TRIED,
        LACKS_FILES,
    ),
    Cell("too many open files, once", _lacks_once(OSError(errno.EMFILE, os.strerror(errno.EMFILE))), MADE, TRIED_TWICE),
    Cell("too little memory to decode", _lacks(MemoryError()), LEFT, TRIED, LACKS_MEMORY),
    Cell("too little memory to decode, once", _lacks_once(MemoryError()), MADE, TRIED_TWICE),
    Cell("no thread to decode in, once", _lacks_once(RuntimeError("can't start new thread")), MADE, TRIED_TWICE),
    Cell("no space at the folder", _breaks(Path, "mkdir", calls=1), LEFT, ASKED, f"{NO_SPACE}{IN_STORE}"),
    Cell("no space at the picture's name", _breaks(Path, "replace"), LEFT, ASKED, f"{NO_SPACE}{IN_STORE}"),
    Cell("no space at the record's name", _breaks(Path, "replace", calls=1), LEFT, ASKED, f"{NO_SPACE}{IN_STORE}"),
    *[
        Cell(
            f"no permission at the {name}",
            _breaks(Path, call, errno.EACCES, calls=calls),
            LEFT,
            ASKED,
            f"cannot be stored: Permission denied{IN_STORE}",
        )
        for name, call, calls in (("folder", "mkdir", 1), ("bytes", "rename", 0), ("name", "replace", 0))
    ],
    Cell(
        "no permission from the beginning",
        _is_forbidden,
        NOT_BEGUN,
        "",
        "the store '…/gptimage' cannot be written to: Permission denied; nothing was submitted",
    ),
    Cell(
        "a folder where the picture belongs",
        _in_the_way("png"),
        LEFT,
        ASKED,
        f"cannot be stored: Is a directory{IN_STORE}",
    ),
    Cell(
        "a folder where the record belongs",
        _in_the_way("json"),
        LEFT,
        ASKED,
        f"cannot be stored: Is a directory{IN_STORE}",
    ),
    Cell("a file where the folder belongs", _file_for_folder, LEFT, ASKED, f"cannot be stored: File exists{IN_STORE}"),
    Cell("another run was faster", _appears_before_submit, MADE, ""),
    Cell("another run stores it meanwhile", _appears_during_submit, MADE, ASKED),
    Cell("the store vanishes meanwhile", _vanishes("gptimage"), MADE, ASKED),
    Cell("unfinished downloads vanish meanwhile", _vanishes(".cache/parts"), MADE, ASKED),
    Cell("store and cache vanish meanwhile", _vanishes("gptimage", ".cache"), MADE, ASKED),
]
