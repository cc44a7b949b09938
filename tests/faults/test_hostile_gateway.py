"""A service, and a host of pictures, that mean harm: a named error, nothing stored, in little time and memory.

The faults of a table are met side by side, in one run of a process that weighs itself.
"""

from __future__ import annotations

import gzip
import io
import itertools
import os
import re
import struct
import zipfile
import zlib
from dataclasses import replace

import memory_probe
import pytest
import scripted_service as gateways
from PIL import Image
from scripted_service import Answer, accepts, encoded, fails, picture, says, task

MOST_MEMORY = 200
"""MiB above what the process takes for small pictures."""
MOST_SECONDS = 60
LITTLE_PATIENCE, PATIENCE = 0.5, 50.0
MIB = b"A" * 1024 * 1024
EIGHT = [f"cat {number}" for number in range(8)]


@pytest.fixture(scope="module")
def probe():
    with memory_probe.start_probe() as process:
        yield process


def timeout(seconds):
    return dict.fromkeys(("1k", "2k", "4k"), seconds)


def nothing(megabytes, wbits=15):
    """So many megabytes of nothing, deflated to very little; its last checksum is wrong."""
    packer = zlib.compressobj(9, wbits=wbits)
    first = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * (megabytes - 1) + packer.flush()


def head(*headers):
    return "".join(f"{line}\r\n" for line in ("HTTP/1.1 200 OK", *headers, "")).encode()


def endless(*first, then=MIB):
    """An answer that goes on for ever."""
    return Answer(raw=lambda: itertools.chain(first, itertools.repeat(then)))


def dripping(*first):
    """An answer that goes on for ever, a byte at a time: never too slow for a limit on each read."""
    return Answer(raw=lambda: itertools.chain(first, itertools.repeat(b"A")), drip=0.05)


GZIP = head("Content-Encoding: gzip", "Content-Type: application/json")
EMPTY_BLOCKS = b"\0\0\0\xff\xff" * 200_000
BODIES = {
    "endless": endless(head()),
    "endless, with a length": endless(head("Content-Length: 99999999999")),
    "endless, in chunks": endless(head("Transfer-Encoding: chunked"), then=b"100000\r\n" + MIB + b"\r\n"),
    "a bomb": Answer(raw=lambda: (GZIP, nothing(2000, wbits=31))),
    "a bomb of nothing": endless(GZIP, gzip.compress(b"")[:10], then=EMPTY_BLOCKS),
    "endless after its compressed end": endless(GZIP, gzip.compress(b"")),
    "endless headers": endless(b"HTTP/1.1 200 OK\r\n", then=b"X-Header: " + b"A" * 60_000 + b"\r\n"),
}
SLOW = {
    "dripping": dripping(head()),
    "a dripping status line": dripping(b"HTTP/1.1 200 "),
    "a dripping header": dripping(b"HTTP/1.1 200 OK\r\nX-Header: "),
    "endless promises of an answer": Answer(
        raw=lambda: itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 9), drip=0.01
    ),
}
DEEP = b"[" * 100_000 + b"]" * 100_000
NEITHER = "neither a task nor a picture"
ANSWERS = {
    "a picture without end": (endless(head(), b'{"data":[{"b64_json":"'), "longer than"),
    "texts without end": (endless(head(), b'{"data":[', then=b'"%b",' % (b"A" * 70_000)), "longer than"),
    "objects without end": (endless(head(), b'{"data":[', then=b"{}," * 100_000), "longer than"),
    "as many objects as allowed": (Answer(body=b"[" + b"{}," * 1_390_000 + b"{}]"), NEITHER),
    "more objects than allowed": (Answer(body=b"[" + b"{}," * 19_000_000 + b"{}]"), "more than 1,400,000 values"),
    "as many keys as allowed": (
        Answer(body=b'{"data":{%b}}' % b",".join(b'"%d":1e9' % number for number in range(699_000))),
        NEITHER,
    ),
    "nested": (Answer(body=DEEP), "not JSON"),
    "nested in an object": (Answer(body=b'{"data":' + DEEP + b"}"), "not JSON"),
    "compressed, who knows how": (Answer(body=b"\x1b\0", headers={"Content-Encoding": "br"}), "cannot be read"),
    "compressed, and cut": (Answer(body=gzip.compress(b"{}")[:-9], headers={"Content-Encoding": "gzip"}), "break off"),
    "a fraction for an id": (says({"data": [{"task_id": 5.5, "status": "submitted"}]}), NEITHER),
    "a truth for an id": (says({"data": [{"task_id": True, "status": "submitted"}]}), NEITHER),
    "an endless number": (Answer(body=b'{"data":[{"task_id":' + b"9" * 9999 + b"}]}"), "not JSON"),
    "an id that climbs": (accepts("../../v2/keys"), NEITHER),
    "numbers for all": (says({"data": [{"url": 1, "b64_json": 2, "id": 3.5, "status": 4}]}), NEITHER),
}
SAID_OF_SUBMITS = {
    **dict.fromkeys(BODIES, r"the answer is longer than 5\d MiB"),
    **dict.fromkeys(SLOW, "did not answer in time"),
    "endless headers": "broke the connection",
    **{fault: said for fault, (_, said) in ANSWERS.items()},
}


def is_slow(fault):
    return fault in SLOW


class Table:
    """What became of each fault of a table, in a run for the slow ones and another for the rest."""

    def __init__(self, meet, faults, **api):
        self._rows, self._runs = {}, {}
        for slow in (True, False):
            some = [fault for fault in faults if is_slow(fault) is slow]
            found = meet(some, **{"patience": LITTLE_PATIENCE if slow else PATIENCE, **api})
            rows = zip(found.steps, found.problems, found.kept, strict=True)
            self._rows |= dict(zip(some, rows, strict=True))
            self._runs |= dict.fromkeys(some, found)

    def check(self, fault, step, kept, said):
        """Assert how a fault ended, what is kept of it, what is said of it, and what it took."""
        found = self._runs[fault]

        assert self._rows[fault][::2] == (step, kept), self._rows[fault]
        assert re.search(said, self._rows[fault][1]), self._rows[fault]
        assert found.files == []
        assert found.grown < MOST_MEMORY
        assert found.seconds < MOST_SECONDS


@pytest.fixture(scope="module")
def submits(probe, tmp_path_factory):
    answers = {**BODIES, **SLOW, **{fault: answer for fault, (answer, _) in ANSWERS.items()}}

    def meet(faults, patience):
        with gateways.serving() as service:
            service.submit = lambda request: answers[request.json["prompt"]]
            folder = tmp_path_factory.mktemp("submits")
            found = probe.measure(folder, service.base_url, *faults, timeout=timeout(patience))
            assert service.counts() == {"submit": len(faults)}
            return found

    return Table(meet, answers)


@pytest.mark.parametrize("fault", SAID_OF_SUBMITS)
def test_a_hostile_answer_to_a_submit_is_an_unknown_outcome(submits, fault):
    """Once a submit has left, an answer without end or sense proves nothing: it is named, and not submitted again."""
    submits.check(fault, "UNKNOWN", "UNKNOWN", SAID_OF_SUBMITS[fault])


def test_a_refusal_without_end_is_a_refusal(probe, service, tmp_path):
    """A status that proves that nothing was accepted does so however long its body is."""
    faults = ["endless", "a bomb"]
    answers = {
        fault: Answer(raw=lambda pieces=BODIES[fault].raw: (piece.replace(b"200 OK", b"422 No") for piece in pieces()))
        for fault in faults
    }
    service.submit = lambda request: answers[request.json["prompt"]]
    found = probe.measure(tmp_path, service.base_url, *faults)

    assert (found.steps, found.kept, found.files) == (["FAILED"] * 2, ["", ""], []), found
    assert all(problem.startswith("HTTP 422") for problem in found.problems)
    assert found.grown < MOST_MEMORY


ALL_ANSWERS = {**BODIES, **SLOW, **{fault: answer for fault, (answer, _) in ANSWERS.items()}}
POLLED = [*BODIES, *SLOW, "nested", "as many objects as allowed", "a number for an id", "numbers for all"]


@pytest.fixture(scope="module")
def polls(probe, tmp_path_factory):
    def meet(faults, patience):
        with gateways.serving() as service:
            service.submit = lambda request: accepts(f"t{faults.index(request.json['prompt'])}")
            service.poll = lambda request: ALL_ANSWERS[faults[int(request.path.rpartition("t")[2])]]
            service.batch = fails(404)
            folder = tmp_path_factory.mktemp("polls")
            return probe.measure(
                folder, service.base_url, *faults, patience=patience, max_requests=16, timeout=timeout(60)
            )

    return Table(meet, POLLED)


@pytest.mark.parametrize("fault", POLLED)
def test_a_hostile_answer_to_a_poll_changes_nothing(polls, fault):
    """A poll without a sensible answer leaves the task in flight when its time is over; the next build asks again."""
    # A number for an id or a status is no failure: the task may be worked on.
    said = "" if fault in ("a number for an id", "numbers for all") else "; the last poll said: "
    polls.check(fault, "WAITING", "ACCEPTED", f"not finished .* after its submit{said}")


@pytest.mark.parametrize("fault", ["endless, in chunks", "a bomb", "dripping", "nested"])
def test_a_hostile_answer_to_a_batch_poll_changes_nothing(probe, service, tmp_path, fault):
    """A batch poll without a sensible answer leaves all tasks in flight, or has them asked for one by one."""
    service.batch = ALL_ANSWERS[fault]
    service.poll = lambda request: says(task(request.path.rpartition("/")[2], "processing"))
    patience = LITTLE_PATIENCE if is_slow(fault) else PATIENCE
    found = probe.measure(tmp_path, service.base_url, "a cat", "a dog", patience=patience, timeout=timeout(60))

    assert (found.steps, found.kept, found.files) == (["WAITING"] * 2, ["ACCEPTED"] * 2, []), found
    assert (found.grown < MOST_MEMORY, found.seconds < MOST_SECONDS) == (True, True)
    assert bool(service.of("poll")) is not is_slow(fault)


def chunk(name, content):
    return struct.pack(">I4s", len(content), name) + content + struct.pack(">I", zlib.crc32(name + content))


def png(width, height, pixels, *more, colour=2, depth=8):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [chunk(b"IHDR", header), *more, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def small_png(name, content):
    """One pixel, and one more chunk."""
    return png(1, 1, zlib.compress(bytes(4)), chunk(name, content))


def huge_jpeg():
    data = bytearray(picture("JPEG"))
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, 60_000, 60_000)
    return bytes(data)


def huge_webp(side):
    flat = (side - 1).to_bytes(3, "little") * 2
    content = b"WEBPVP8X" + struct.pack("<II", 10, 0) + flat + picture("WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(content)) + content


def moving(kind):
    """Thousands of frames."""
    file = io.BytesIO()
    frames = [Image.new("RGB", (2, 2), (index % 256, index // 256, 0)) for index in range(2000)]
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=10)
    return file.getvalue()


def archive():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("a.png", bytes(100_000))
    return file.getvalue()


def many_scans():
    """A progressive JPEG with its last pass over the picture again and again."""
    data = saved("JPEG", (256, 256), progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * 5000 + data[-2:]


def saved(kind, size, **options):
    file = io.BytesIO()
    Image.radial_gradient("L").resize(size).convert("RGB").save(file, kind, **options)
    return file.getvalue()


NOT_ONE = "is not a PNG, JPEG or WebP picture"
TOO_MANY = "pixels, more than is sensible"
IS_MORE = "follow the end of the picture"
PICTURES = {
    "PNG of 60,000 a side, nothing behind its header": (lambda: png(60_000, 60_000, b"")[:33], TOO_MANY),
    "PNG of 60,000 a side, all of it": (lambda: png(60_000, 60_000, nothing(430), colour=0, depth=1), TOO_MANY),
    "JPEG of 60,000 a side": (huge_jpeg, TOO_MANY),
    "WebP of 60,000 a side": (lambda: huge_webp(60_000), TOO_MANY),
    "WebP of 16,384 a side": (lambda: huge_webp(16_384), TOO_MANY),
    "SVG": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', f"{NOT_ONE} but HTML, SVG"),
    "HTML": (lambda: b"\n<!doctype html><title>Sign in</title>", f"{NOT_ONE} but HTML, SVG"),
    "ZIP": (archive, f"{NOT_ONE} but a ZIP archive"),
    "no bytes": (lambda: b"", NOT_ONE),
    "PNG with a bomb for pixels": (lambda: png(100, 100, nothing(4000)), "far more than its 100×100 pixels"),
    "large PNG with a bomb for pixels": (lambda: png(3000, 2000, nothing(4000)), "far more than its 3000×2000 pixels"),
    "PNG with a bomb for a profile": (lambda: small_png(b"iCCP", b"p\0\0" + nothing(4000)), "iCCP chunk inflates"),
    "PNG with a bomb for a text": (lambda: small_png(b"zTXt", b"t\0\0" + nothing(4000)), "zTXt chunk inflates"),
    "PNG with a bomb in iTXt": (lambda: small_png(b"iTXt", b"t\0\1\0en\0t\0" + nothing(4000)), "iTXt chunk inflates"),
    "PNG with a bomb behind its pixels": (
        lambda: small_png(b"gAMA", bytes(4))[:-12] + chunk(b"zTXt", b"t\0\0" + nothing(4000)) + chunk(b"IEND", b""),
        "zTXt chunk inflates",
    ),
    "PNG without pixels": (lambda: png(100, 100, b""), "has no pixels"),
    "PNG with its end alone": (lambda: picture()[:8] + chunk(b"IEND", b""), "has no pixels"),
    "PNG with a broken header": (lambda: png(100, 100, zlib.compress(bytes(30_100)), depth=3), "header cannot be read"),
    "PNG of many chunks": (lambda: png(1, 1, nothing(1), chunk(b"gAMA", b"") * 200_000), "more than 100000 chunks"),
    "truncated PNG": (lambda: saved("PNG", (500, 500))[:-40], "breaks off"),
    "truncated JPEG": (lambda: saved("JPEG", (500, 500))[:-40], "breaks off"),
    "truncated WebP": (lambda: saved("WEBP", (500, 500))[:-40], "breaks off"),
    "animated PNG": (lambda: moving("PNG"), "is animated"),
    "animated WebP": (lambda: moving("WEBP"), "is animated"),
    "PNG and an archive": (lambda: picture() + archive(), IS_MORE),
    "JPEG and an archive": (lambda: picture("JPEG") + archive(), IS_MORE),
    "WebP and an archive": (lambda: picture("WEBP") + archive(), IS_MORE),
    "JPEG of thousands of scans": (many_scans, "more than 100 scans"),
    "JPEG of many segments": (lambda: b"\xff\xd8" + b"\xff\x01" * 2_000_000, "more than 100000 chunks"),
}
TOO_LARGE = "the picture is larger than 40 MiB"
DOWNLOADS = {
    **dict.fromkeys(BODIES, TOO_LARGE),
    **dict.fromkeys(SLOW, "the download took longer than"),
    "endless headers": "the download from 127.0.0.1 broke off",
    "a picture, and more without end": TOO_LARGE,
    "compressed, who knows how": r"broke off \(it is compressed as 'br', which was not asked for\)",
    "compressed, and cut": r"broke off \(its compressed data break off\)",
    "redirects without end": "redirected more than 3 times",
    "redirects between hosts": "redirected more than 3 times",
    "gone": r"the image link has expired \(HTTP 410\)",
    **{fault: said for fault, (_, said) in PICTURES.items()},
}
LINKS = {
    "file:///etc/passwd": "not https but 'file:'",
    "ftp://{host}/a.png": "not https but 'ftp:'",
    "javascript:alert(1)": "not https but 'javascript:'",
    "http://user:password@{host}/a.png": "holds a user name or password",
    "http://{host}@127.0.0.1:1/a.png": "holds a user name or password",
}
FROM_LINKS = {
    **{f"link: {target}": said for target, said in LINKS.items()},
    **{f"redirect: {target}": said for target, said in LINKS.items()},
    "link: data:image/png;base64,AAAA": "not a PNG, JPEG or WebP picture",
    "redirect: data:image/png;base64,AAAA": "not https but 'data:'",
}


@pytest.fixture(scope="module")
def downloads(probe, tmp_path_factory):
    other_answers = {
        "a picture, and more without end": endless(head(), picture()),
        "gone": Answer(410),
        **{fault: Answer(body=make(), headers={"Content-Type": "image/png"}) for fault, (make, _) in PICTURES.items()},
    }

    def meet(faults, patience):
        with gateways.serving() as service, gateways.serving() as other:
            host = service.origin.partition("//")[2]

            def link(number):
                target = faults[number].partition("link: ")[2]
                return target.format(host=host) if target else f"{service.origin}/{number}"

            def download(request):
                fault = faults[int(request.path[1:])]
                goes_on_at = {
                    "redirects without end": request.path,
                    "redirects between hosts": f"{other.origin}{request.path}",
                }.get(fault) or fault.partition("redirect: ")[2].format(host=host)
                if goes_on_at:
                    return Answer(302, headers={"Location": goes_on_at})
                return other_answers.get(fault) or ALL_ANSWERS[fault]

            service.submit = lambda request: accepts(f"t{faults.index(request.json['prompt'])}")
            service.batch = lambda request: says(
                [task(t, "completed", link(int(t[1:]))) for t in request.json["task_ids"]]
            )
            service.poll = fails(500)
            service.download = download
            other.download = lambda request: Answer(302, headers={"Location": f"{service.origin}{request.path}"})
            folder = tmp_path_factory.mktemp("downloads")
            return probe.measure(folder, service.base_url, *faults, patience=patience, max_requests=16)

    return Table(meet, [*DOWNLOADS, *FROM_LINKS])


@pytest.mark.parametrize("fault", DOWNLOADS)
def test_a_hostile_download_is_not_kept(downloads, fault):
    """What has no end, or claims to be a picture and is none or far too much, is named; the task stays in flight."""
    downloads.check(fault, "WAITING", "ACCEPTED", DOWNLOADS[fault])


@pytest.mark.parametrize("fault", FROM_LINKS)
def test_a_hostile_link_is_not_followed(downloads, fault):
    """Neither a link nor a redirect leads to anything but the web, nor carries credentials."""
    downloads.check(fault, "WAITING", "ACCEPTED", FROM_LINKS[fault])


def noise(kind, size, **options):
    file = io.BytesIO()
    Image.frombytes("RGB", size, os.urandom(size[0] * size[1] * 3)).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def large():
    """A PNG of noise, 25 MB, of the service's largest size."""
    return noise("PNG", (3840, 2160), compress_level=0)


def test_the_largest_pictures_arrive_eight_at_a_time(probe, service, tmp_path, large):
    """Eight downloads of 25 MB at a time are stored, in the memory of one."""
    service.download = Answer(body=large)
    found = probe.measure(tmp_path, service.base_url, *EIGHT, max_requests=8)

    assert (found.steps, found.kept, len(found.files)) == (["STORED"] * 8, [""] * 8, 16), found
    assert found.grown < MOST_MEMORY


def answered(data, plain="", escape=""):
    """An answer to a submit that holds a picture and words, with a character escaped as some services do."""
    text = encoded(data).replace(plain, escape) if plain else encoded(data)
    body = '{"created": 1, "data": [{"b64_json": "%s", "revised_prompt": "A “cat” 😀"}]}'
    return Answer(body=(body % text).encode())


def test_the_largest_pictures_arrive_in_answers_eight_at_a_time(probe, service, tmp_path, large):
    """Answers to eight submits that hold 25 MB as base64 are stored, in little memory."""
    service.submit = answered(large)
    found = probe.measure(tmp_path, service.base_url, *EIGHT, max_requests=8)

    assert (found.steps, found.kept, len(found.files)) == (["STORED"] * 8, [""] * 8, 16), found
    assert all(path.read_bytes() == large for path in (tmp_path / "gptimage").rglob("*.png"))
    assert found.grown < MOST_MEMORY


def test_pictures_in_answers_are_written_in_many_ways(probe, service, tmp_path):
    """A picture arrives whole however a service escapes and breaks its base64, from submits and from polls."""
    data = noise("PNG", (500, 400))
    ways = {"a": ("/", "\\/"), "b": ("+", "\\u002b"), "c": ("A", "\\nA"), "d": ("/", "_"), "e": ("", "")}
    answers = {"f": accepts("t"), **{prompt: answered(data, *way) for prompt, way in ways.items()}}
    service.submit = lambda request: answers[request.json["prompt"]]
    service.batch = fails(404)
    in_a_task = b'{"id": "t", "status": "completed", "result": {"images": [{"b64_json": "%b"}]}}'
    service.poll = Answer(body=in_a_task % encoded(data).encode())
    found = probe.measure(tmp_path, service.base_url, *answers)
    stored = [path.read_bytes() for path in (tmp_path / "gptimage").rglob("*.png")]

    assert found.steps == ["STORED"] * 6, found
    assert stored == [data] * 6


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {"progressive": True, "subsampling": 0}), ("WEBP", {"lossless": True, "quality": 0, "method": 0})],
)
def test_the_largest_pictures_decode_in_little_memory(service, tmp_path, kind, options):
    """The largest progressive JPEG and the largest lossless WebP that are allowed are stored, one after the other."""
    service.download = Answer(body=saved(kind, (4096, 2160), **options))
    with memory_probe.start_probe() as probe:
        found = probe.measure(tmp_path, service.base_url, *EIGHT[:3])

    assert (found.steps, found.kept, len(found.files)) == (["STORED"] * 3, [""] * 3, 6), found
    assert found.grown < MOST_MEMORY


def test_many_requests_with_large_references_take_bounded_memory(service, tmp_path):
    """Twelve submits at a time, each with a reference image of 16 MB, are not all in memory together."""
    prompts = [f"picture {number}" for number in range(12)]

    def submit(request):
        number, size = len(service.of("submit")), len(request.json["image_urls"][0])
        sizes.append(size)
        service.requests[:] = [replace(each, body=b"") for each in service.requests]
        return accepts(f"task_{number}", wait=1.0)

    sizes: list[int] = []
    service.submit = submit
    with memory_probe.start_probe() as probe:
        found = probe.measure(tmp_path, service.base_url, *prompts, reference=16_000_000, max_requests=12)

    assert found.steps == ["STORED"] * 12, found
    assert min(sizes) > 21_000_000
    assert found.grown < 350  # without a bound, over 1,100
