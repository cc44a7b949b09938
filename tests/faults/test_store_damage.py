"""Damage in the store: a row per fault, in one site that was built before it was damaged, by real builds and checks."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import scripted_service
from sites import FAST, Finished, Site, block

from mkdocs_gptimage.spec.model import ImageSpec
from mkdocs_gptimage.store.record import ImageFacts, Provenance
from mkdocs_gptimage.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = {"APIMASTER_API_KEY": scripted_service.KEY}
MADE = Provenance("2026-11-23T21:16:57Z", "apimaster.ai", "task_1", 12.5, 0.0085)
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
DATA = scripted_service.picture()
RESTORE = "Restore its files from version control, or delete both of them to have it made anew"
REMEDIES = {
    "lfs-pointer": "git lfs pull",
    "conflict": "checkout --ours -- ",
    "duplicate": "which the record describes; delete {}.",
    "misplaced": "Move both of its files there",
}


@dataclass(frozen=True)
class Pair:
    """The two files of a picture."""

    image: Path
    record: Path

    @property
    def root(self) -> Path:
        return self.record.parent.parent

    @property
    def digest(self) -> str:
        return self.record.stem


@dataclass(frozen=True)
class Row:
    """A fault."""

    harm: Callable[[Pair], object]
    kind: str
    said: str
    """A regular expression; `{}` is the digest."""
    file: str = "{}.png"
    """The name of the file that is to blame."""


def flip(pair: Pair) -> None:
    data = bytearray(pair.image.read_bytes())
    data[len(data) // 2] ^= 1
    pair.image.write_bytes(data)


def flip_unseen(pair: Pair) -> None:
    """As a copy that keeps dates does."""
    before = pair.image.stat()
    flip(pair)
    os.utime(pair.image, ns=(before.st_atime_ns, before.st_mtime_ns))


def edit(**changes: object) -> Callable[[Pair], object]:
    """Change fields of the record, as `image__bytes=1`; `...` removes one."""

    def harm(pair: Pair) -> None:
        record = json.loads(pair.record.read_text())
        for name, value in changes.items():
            *parts, field = name.split("__")
            target = record[parts[0]] if parts else record
            target.pop(field)
            if value is not ...:
                target[field] = value
        pair.record.write_text(json.dumps(record))

    return harm


def instead(make: Callable[[Path], object], *, of: str) -> Callable[[Pair], object]:
    """Put something else in the place of a file."""

    def harm(pair: Pair) -> None:
        path = getattr(pair, of)
        path.unlink()
        make(path)

    return harm


def listen(path: Path) -> None:
    """A path of a socket is short, so it is bound where it stands."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"/proc/self/fd/{folder}/s")
        path.with_name("s").rename(path)
    finally:
        os.close(folder)


def zeros(path: Path) -> None:
    os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))


def outside(path: Path) -> None:
    """The very bytes of the picture, in a file outside the project."""
    target = path.parents[3] / f"outside-{path.name}"
    target.write_bytes(DATA)
    path.symlink_to(target)


def plant(data: bytes, name: str) -> Callable[[Pair], object]:
    """Bytes that the record describes rightly, as far as it can."""

    def harm(pair: Pair) -> None:
        digest, ending = hashlib.sha256(data).hexdigest(), name.rpartition(".")[2]
        pair.image.unlink()
        pair.image.with_suffix(f".{ending}").write_bytes(data)
        edit(image__sha256=digest, image__bytes=len(data), image__format=ending)(pair)

    return harm


def plant_link(pair: Pair) -> None:
    """A link to a file that everybody knows, and a record that describes it rightly, but for its being a picture."""
    data = Path("/etc/passwd").read_bytes()
    plant(data, "x.png")(pair)
    pair.image.unlink()
    pair.image.symlink_to("/etc/passwd")


def pointers(pair: Pair) -> None:
    pair.image.write_bytes(POINTER)
    pair.record.write_bytes(POINTER)


def beside(ending: str) -> Callable[[Pair], object]:
    return lambda pair: pair.image.with_suffix(ending).write_bytes(scripted_service.picture("WEBP"))


def move(names: Callable[[Pair, Path], Path], *, keep: str = "") -> Callable[[Pair], object]:
    """Move files of a pair; `keep` is the one that is removed instead."""

    def harm(pair: Pair) -> None:
        for path in (pair.image, pair.record):
            if keep and path == getattr(pair, keep):
                path.unlink()
                continue
            target = names(pair, path)
            target.parent.mkdir(exist_ok=True)
            path.rename(target)

    return harm


def write(text: str | bytes) -> Callable[[Pair], object]:
    return lambda pair: pair.record.write_bytes(text if isinstance(text, bytes) else text.encode())


RECORD = "{}.json"
ROWS = {
    "flipped-bit": Row(flip, "mismatch", "the bytes of {}.png are not those of its record"),
    "flipped-bit-same-date": Row(flip_unseen, "mismatch", "the bytes of {}.png are not those of its record"),
    "truncated": Row(lambda pair: os.truncate(pair.image, 99), "mismatch", f"{{}}.png has 99 bytes, .* {len(DATA)}"),
    "empty": Row(lambda pair: os.truncate(pair.image, 0), "mismatch", "{}.png has 0 bytes, its record says"),
    "no-picture": Row(lambda pair: pair.image.unlink(), "incomplete", "the record has no {}.png beside it"),
    "no-record": Row(lambda pair: pair.record.unlink(), "incomplete", "{}.png has no record beside it"),
    "lies-hash": Row(edit(image__sha256="0" * 64), "mismatch", "the bytes of {}.png are not those of its record"),
    "lies-bytes": Row(edit(image__bytes=1), "mismatch", f"{{}}.png has {len(DATA)} bytes, its record says 1"),
    "lies-width": Row(
        edit(image__width=33), "mismatch", "{}.png is a png of 32×18 pixels, its record says a png of 33×18"
    ),
    "lies-height": Row(edit(image__height=81), "mismatch", "{}.png is a png of 32×18 pixels, .* of 32×81"),
    "lies-format": Row(
        edit(image__format="jpg"), "incomplete", "the record has no {}.jpg beside it, but {}.png", "{}.jpg"
    ),
    "named-wrongly": Row(plant(DATA, "x.jpg"), "mismatch", "{}.jpg is a png of 32×18 pixels, .* a jpg", "{}.jpg"),
    "no-image-at-all": Row(plant(b"root:x:0:0:" * 9, "x.png"), "mismatch", "{}.png is no picture, its record says"),
    "broken-image": Row(plant(DATA[:20], "x.png"), "mismatch", "{}.png is no picture, its record says"),
    "other-request": Row(edit(request={"v": 1}), "record", "its request belongs to another picture", RECORD),
    "newer": Row(edit(v=2), "record", "version 2, expected 1", RECORD),
    "field-missing": Row(edit(image__sha256=...), "record", "image.sha256 is missing", RECORD),
    "part-missing": Row(edit(made=...), "record", "made is None, expected an object", RECORD),
    "number-as-text": Row(edit(image__bytes="99"), "record", "image.bytes is '99', expected a whole number", RECORD),
    "not-a-number": Row(edit(made__seconds=float("nan")), "record", "made.seconds is nan, expected a number", RECORD),
    "nested": Row(write("[" * 100_000), "record", "nested too deep", RECORD),
    "endless": Row(lambda pair: os.truncate(pair.record, 100_000_000), "record", "more than 4 MiB", RECORD),
    "not-utf-8": Row(write(b"\xff\xfe{}"), "record", "can't decode", RECORD),
    "empty-record": Row(write(""), "record", "the record {}.json is not one", RECORD),
    "conflict": Row(write("<<<<<<< HEAD\n{}"), "conflict", "{}.json has the conflict markers of a merge", RECORD),
    "picture-is-folder": Row(instead(Path.mkdir, of="image"), "not-a-file", "{}.png is a folder, expected a file"),
    "record-is-folder": Row(instead(Path.mkdir, of="record"), "not-a-file", "{}.json is a folder", RECORD),
    "picture-is-pipe": Row(instead(os.mkfifo, of="image"), "not-a-file", "{}.png is a named pipe"),
    "record-is-pipe": Row(instead(os.mkfifo, of="record"), "not-a-file", "{}.json is a named pipe", RECORD),
    "picture-is-socket": Row(instead(listen, of="image"), "not-a-file", "{}.png is a socket"),
    "record-is-socket": Row(instead(listen, of="record"), "not-a-file", "{}.json is a socket", RECORD),
    "picture-is-device": Row(instead(zeros, of="image"), "not-a-file", "{}.png is a device"),
    "record-is-device": Row(instead(zeros, of="record"), "not-a-file", "{}.json is a device", RECORD),
    "link-to-nothing": Row(
        instead(lambda path: path.symlink_to("nothing"), of="image"), "not-a-file", "{}.png is a symbolic link"
    ),
    "link-to-same-bytes": Row(instead(outside, of="image"), "not-a-file", "{}.png is a symbolic link, expected a file"),
    "link-to-passwords": Row(plant_link, "not-a-file", "{}.png is a symbolic link"),
    "record-is-link": Row(instead(outside, of="record"), "not-a-file", "{}.json is a symbolic link", RECORD),
    "pointer": Row(lambda pair: pair.image.write_bytes(POINTER), "lfs-pointer", "{}.png is a Git LFS pointer"),
    "pointer-for-record": Row(write(POINTER), "lfs-pointer", "{}.json is a Git LFS pointer", RECORD),
    "pointers": Row(pointers, "lfs-pointer", "{}.json is a Git LFS pointer", RECORD),
    "two-formats": Row(
        beside(".webp"), "duplicate", "{}.webp lies beside {}.png, which the record describes", "{}.webp"
    ),
    "two-cases": Row(beside(".PNG"), "duplicate", "{}.PNG lies beside {}.png", "{}.PNG"),
    "ending-in-capitals": Row(
        lambda pair: pair.image.rename(pair.image.with_suffix(".PNG")),
        "incomplete",
        "the record has no {}.png beside it, but {}.PNG",
    ),
    "record-in-capitals": Row(
        lambda pair: pair.record.rename(pair.record.with_suffix(".JSON")), "incomplete", "{}.png has no record beside"
    ),
    "names-in-capitals": Row(
        move(lambda pair, path: path.with_name(pair.digest.upper() + path.suffix)),
        "misplaced",
        "is misplaced, expected at [0-9a-f]{{2}}/{}.(png|json)",
        "",
    ),
    "in-no-folder": Row(move(lambda pair, path: pair.root / path.name), "misplaced", "{}.(png|json) is misplaced", ""),
    "in-another-folder": Row(
        move(lambda pair, path: pair.root / ("00" if pair.digest[:2] != "00" else "01") / path.name),
        "misplaced",
        "0[01]/{}.(png|json) is misplaced",
        "",
    ),
    "record-in-another-folder": Row(
        move(lambda pair, path: pair.root / ("00" if pair.digest[:2] != "00" else "01") / path.name, keep="image"),
        "misplaced",
        "0[01]/{}.json is misplaced",
        "{}.json",
    ),
}
FINE = "fine"


@dataclass(frozen=True)
class Damaged:
    """A site whose store was damaged after a build, and what was said about it since."""

    site: Site
    pairs: dict[str, Pair]
    impossible: set[str]
    """Faults that this system, or this user, cannot make."""
    kept: bool
    """Whether all that was there stayed as it was."""
    submits: int
    generated: Finished
    warm: Finished
    cold: Finished
    checked: Finished
    text: Finished


def fill(site: Site) -> dict[str, Pair]:
    """A page for every fault, and a picture for every page."""
    pairs = {}
    for name in (*ROWS, FINE):
        spec = ImageSpec(name)
        part = site.root / "part"
        part.write_bytes(DATA)
        facts = ImageFacts(hashlib.sha256(DATA).hexdigest(), len(DATA), 32, 18, "png")
        entry = Store(site.store).put(spec.canonical, spec.digest, part, facts, MADE)
        pairs[name] = Pair(entry.path, entry.path.with_suffix(".json"))
    site.write({"index.md": "# Home\n", **{f"{name}.md": block(prompt=name) for name in pairs}})
    return pairs


KILLED = f".{'f' * 12}{'0' * 16}.part"


def litter(store: Path) -> None:
    """Add files that belong to no picture and hinder nothing."""
    folder = store / "ff"
    folder.mkdir(exist_ok=True)
    (folder / KILLED).write_bytes(b"half")
    (folder / f"{'f' * 64}.png").write_bytes(DATA)
    (folder / f"{ImageSpec(FINE).digest}.webp").write_bytes(DATA)


def pictures(site):
    """The state of the files of all pictures; those of the journal and of the store's users change."""
    found = snapshot(site.store)
    return {path: each for path, each in found.items() if ".journal" not in str(path)}


def snapshot(folder: Path) -> dict[str, tuple[int, int, int]]:
    found = {path: path.lstat() for path in folder.rglob("*")}
    return {
        str(path): (status.st_ino, status.st_mode, status.st_mtime_ns)
        for path, status in found.items()
        if not stat.S_ISDIR(status.st_mode) and ".journal" not in path.parts
    }


@pytest.fixture(scope="module")
def damaged(tmp_path_factory) -> Damaged:
    site = Site(tmp_path_factory.mktemp("damage") / "project")
    site.root.mkdir()
    pairs = fill(site)
    site.configure(gptimage={"on_missing": "error"})
    built = site.build("--strict")
    assert built.code == 0, built.err
    impossible = set()
    for name, row in ROWS.items():
        try:
            row.harm(pairs[name])
        except (PermissionError, OSError) as error:
            if isinstance(error, PermissionError) or "not permitted" in str(error):
                impossible.add(name)
                continue
            raise
    litter(site.store)
    before = pictures(site)
    with scripted_service.serving() as service:
        site.write({"missing.md": block(prompt="Missing")})
        site.configure(gptimage={"on_missing": "generate", "api": {"base_url": service.base_url, **FAST}})
        generated = site.build(env=KEY)
        submits = len(service.of("submit"))
    site.configure(gptimage={"on_missing": "placeholder"})
    warm = site.build()
    shutil.rmtree(site.root / ".cache")
    cold = site.build()
    after = pictures(site)
    return Damaged(
        site,
        pairs,
        impossible,
        kept=all(after.get(path) == found for path, found in before.items()),
        submits=submits,
        generated=generated,
        warm=warm,
        cold=cold,
        checked=site.gptimage("check", "--json"),
        text=site.gptimage("check"),
    )


@pytest.fixture(params=ROWS)
def name(request, damaged) -> str:
    if request.param in damaged.impossible:
        pytest.skip("this user cannot make such a file")
    return request.param


@pytest.mark.parametrize("by", ["generated", "warm", "cold", "text"])
def test_damage_is_named(damaged, name, by):
    """Every build, with copies of earlier builds and without, and `check` name page, line, file and remedy."""
    row, digest = ROWS[name], damaged.pairs[name].digest
    finished = getattr(damaged, by)
    place = f"docs/{name}.md:1: the picture {digest[:12]} in the store is damaged: "
    (line,) = [line for line in (finished.out + finished.err).splitlines() if place in line]

    assert re.search(row.said.format(*[digest] * 2), line)
    assert REMEDIES.get(row.kind, RESTORE).format(digest) in line


def test_check_as_json(damaged, name):
    """`check --json` gives the kind of the damage, the file that is to blame, and why."""
    row, digest = ROWS[name], damaged.pairs[name].digest
    pictures = {picture["digest"]: picture for picture in json.loads(damaged.checked.out)["pictures"]}
    found = pictures[digest]

    assert (found["state"], found["damage"]["kind"]) == ("broken", row.kind)
    assert row.file.format(digest) in found["damage"]["file"]
    assert found["detail"] == found["damage"]["reason"]


def test_nothing_damaged_is_published(damaged, name):
    """A page shows a card instead, and the site has no file of the picture."""
    spec = ImageSpec(name)
    files = [path.name for path in damaged.site.root.joinpath("site/assets/gptimage").glob(f"*{spec.digest[:12]}*")]

    assert files == [f"{spec.stem}.svg"]
    assert f"{spec.stem}.svg" in damaged.site.page(f"{name}/index.html")


def test_damage_costs_nothing_and_is_kept(damaged):
    """Of a site full of damage, the picture that is missing is paid for, and nothing that is there is changed."""
    assert damaged.submits == 1
    assert damaged.kept
    assert (damaged.generated.code, damaged.warm.code, damaged.cold.code) == (1, 0, 0)
    assert (damaged.checked.code, damaged.text.code) == (1, 1)
    assert not any("Traceback" in finished.err for finished in (damaged.generated, damaged.warm, damaged.text))


def test_what_is_whole_is_published(damaged):
    """Damage does not spread to the pictures beside it."""
    assert ".webp" in damaged.site.figures("fine/index.html")[0]
    assert ".webp" in damaged.site.figures("missing/index.html")[0]


def test_litter_is_reported_and_fails_nothing(damaged):
    """Files that are no part of any picture are listed with what to do, by their paths."""
    reasons = {Path(each["file"]).name: each["reason"] for each in json.loads(damaged.checked.out)["leftovers"]}

    assert "left by a run that was killed; delete it" in reasons[KILLED]
    assert "no page asks for it: restore or delete" in reasons[f"{'f' * 64}.png"]
    assert "is misplaced" in reasons[f"{ImageSpec(FINE).digest}.webp"]
    assert f"{KILLED}: is being written, or was left" in damaged.text.out


def test_a_folder_of_the_store_that_is_none(tmp_path):
    """A file where the pictures of some digests would lie is damage: what was in the folder may be paid for."""
    digest = ImageSpec("a").digest
    (tmp_path / digest[:2]).write_text("")

    assert Store(tmp_path).get(digest).reason == f"{digest[:2]} in the store is not a folder"


def test_names_that_differ_by_case_only_where_that_is_no_difference(tmp_path, monkeypatch):
    """Where `X.PNG` and `X.png` are one file, a picture in capitals is a picture, and not two."""
    site = Site(tmp_path)
    pair = fill(site)[FINE]
    capitals = pair.image.with_suffix(".PNG")
    pair.image.rename(capitals)
    with contextlib.suppress(FileExistsError):
        pair.image.hardlink_to(capitals)
    listed = [f"{pair.digest}.PNG", f"{pair.digest}.json"]
    monkeypatch.setattr("mkdocs_gptimage.store.layout._by_digest", lambda _: {pair.digest: listed})

    assert Store(site.store).get(pair.digest) == Store(site.store).verify(pair.digest)
    assert Store(site.store).get(pair.digest).path == pair.image
