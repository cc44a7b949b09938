"""Hostile text for the block reader and the reader of the API's answers, guided by coverage; run by hand.

    $ python benchmarks/fuzz.py --seconds 240                  # half of it for each of both
    $ python benchmarks/fuzz.py --seconds 240 blocks           # YAML, schema and specification
    $ python benchmarks/fuzz.py --seconds 240 answers          # bodies, statuses and headers

Needs `pip install atheris` (Linux). Prints the number of inputs and the distinct faults, each with its shortest input.
A fault is an exception that is none of ours, or a value that breaks what callers rely on.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_INPUT = 2048
SLOWEST_SECONDS = 10
ID = "t1"
REFUSALS = {400, 401, 402, 403, 404, 422, 429}
NOT_EVEN_READ = {301, 307, 308, 405, 406, 410, 411, 413, 414, 415, 417, 426, 428, 431, 451}
STATUSES = [*range(300, 600), 500, 500, 503, 503, 409, 409]
SEEDS = {
    "blocks": [
        "\1prompt: a cat\nsize: 16:9\nresolution: 2k\nalt: x\n",
        "\1prompt: |\n  one\n  two\nimage_urls: [a.png, 'https://example.com/a.png']\nvariant: 2\nlink: true\n",
        "\1? prompt\n: &x >-\n  a\n\n  b\nalt: *x\nwidth: 0x1F\nid: a\nclass: b c\nn: 1\nloading: eager\n",
        '\1{prompt: a, caption: "*x* \\u00e9 \\x41", model: gpt-image-2, official_fallback: false}\n',
        "\1%YAML 1.2\n--- !!map\nprompt: !!str 1e3\n...\n",
        "\0variant: 1e3\nwidth: 100\n",
    ],
    "answers": [
        '\0{"code": 200, "data": [{"status": "submitted", "task_id": "t1"}]}',
        '\1{"data": {"id": "t1", "status": "completed", "cost": 0.1, "result": {"images": [{"url": ["https://x/y"]}]}}}',
        '\2{"data": {"tasks": {"t1": {"status": "failed", "error": {"message": "no", "code": 1}}}}}',
        '\3{"error": {"code": "idempotency_unavailable", "message": "build_request_failed: size"}}',
        '\4{"created": 1, "data": [{"b64_json": "AAAA"}], "code": "402"}',
        "\5Mon, 01 Jan 2001 00:00:00 GMT",
    ],
}
WORDS = {
    "blocks": [
        *("prompt: ", "size: ", "alt: ", "caption: ", "image_urls: ", "variant: ", "width: ", "id: ", "class: "),
        *(
            "16:9",
            "!!str ",
            "!!int ",
            "&a ",
            "*a",
            "|-\n",
            ">\n",
            "- ",
            "? ",
            "---\n",
            "...\n",
            "0x",
            "1e",
            ".inf",
            ".nan",
        ),
    ],
    "answers": [
        *(
            '"data"',
            '"tasks"',
            '"result"',
            '"images"',
            '"url"',
            '"b64_json"',
            '"task_id"',
            '"id"',
            '"status"',
            '"code"',
        ),
        *('"error"', '"message"', '"cost"', '"completed"', '"failed"', f'"{ID}"', '"https://x"', "NaN", "1e400", "402"),
        *("idempotency_in_progress", "idempotency_unavailable", "idempotency_key_reused", "build_request_failed"),
    ],
}


@dataclass
class Count:
    """What a run has seen."""

    inputs: int = 0
    answers: int = 0
    """Inputs that were more than an error."""
    faults: dict[str, bytes] = field(default_factory=dict)
    """Where it went wrong → the shortest input that does."""

    def note(self, data: bytes, error: Exception) -> None:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno} in {frame.name}: {error}"[:160]
        if len(data) < len(self.faults.get(where, data + b".")):
            self.faults[where] = data

    def show(self, target: str) -> None:
        print(f"{target}: {self.inputs:,} inputs, {self.answers:,} of them valid, {len(self.faults)} distinct faults")
        for where, data in self.faults.items():
            print(f"  {where}\n    {data!r}")


def require(condition: bool, what: str) -> None:
    if not condition:
        raise AssertionError(what)


def fits_on_a_line(text: str, longest: int) -> bool:
    return text.isprintable() and 0 < len(text) <= longest


def block_checker() -> Callable[[bytes], bool]:
    """What has to hold for any text of a block, read by libyaml and by PyYAML alone."""
    import yaml  # noqa: PLC0415 - imported when it can be instrumented

    from mkdocs_gptimage.spec import yaml12  # noqa: PLC0415 - as above
    from mkdocs_gptimage.spec.model import Reference, SiteDefaults  # noqa: PLC0415 - as above
    from mkdocs_gptimage.spec.parse import parse_block  # noqa: PLC0415 - as above

    def read(text: str, loader: str) -> Any:
        yaml12._Loader = getattr(yaml, loader)  # type: ignore[misc]  # noqa: SLF001 - which one depends on the machine
        return parse_block(text, SiteDefaults(), lambda entry: Reference(entry, uri=entry))

    def check(data: bytes) -> bool:
        # Half of the inputs begin with what every valid one needs.
        text = "" if int.from_bytes(data[:1], "big") % 2 else "prompt: a\n"
        text += data[1:].decode("utf-8", "ignore")
        fast, plain = read(text, "CSafeLoader"), read(text, "SafeLoader")
        for reading in (fast, plain):
            require((reading.spec is None) is bool(reading.problems), "a picture or problems")
            for line, message in reading.problems:
                require(0 <= line <= text.count("\n") + text.count("\r"), "a line of the text")
                require(fits_on_a_line(message, 500), "a message of one line")
        if fast.spec is None:
            return False
        require(plain.spec is None or plain.spec.digest == fast.spec.digest, "one digest, whatever parses")
        require(len(fast.spec.slug) <= 40 and fast.spec.slug.replace("-", "a").isalnum(), "a plain slug")
        return True

    return check


def answer_checker() -> Callable[[bytes], bool]:
    """What has to hold for any answer; its first bytes say which status it comes with."""
    from mkdocs_gptimage.errors import GatewayError, RejectedError  # noqa: PLC0415 - imported when it can be instrumented
    from mkdocs_gptimage.service import protocol  # noqa: PLC0415 - imported when it can be instrumented

    def said(read: Callable[..., Any], *given: Any) -> Any:
        try:
            return read(*given)
        except GatewayError as error:
            require(fits_on_a_line(str(error), 500), "words of one line")
            return error

    def check(data: bytes) -> bool:
        status, body = STATUSES[int.from_bytes(data[:2], "big") % len(STATUSES)], data[1:]
        found = [said(protocol.submitted, body), said(protocol.task, body, ID)]
        batch = said(protocol.tasks, body, [ID])
        found += batch.values() if isinstance(batch, dict) else []
        for each in found:
            if isinstance(each, protocol.Task):
                require(not each.message or fits_on_a_line(each.message, 300), "words of one line")
                require(each.cost_usd is None or (each.cost_usd >= 0 and math.isfinite(each.cost_usd)), "a cost")
            elif isinstance(each, protocol.Image):
                require((each.url is None) is not (each.base64 is None), "a link or the bytes")
        header = body.decode("latin-1")
        failure = protocol.failure(status, body, {"retry-after": header})
        require(fits_on_a_line(str(failure), 500), "words of one line")
        wait = protocol.retry_after(header)
        require(wait is None or 0 <= wait <= protocol.LONGEST_WAIT, "a wait")
        # An escape can spell the second as well.
        proofs = {500: [b"build_request_failed"], 503: [b"idempotency_unavailable", b"\\u", b"\0"]}
        proof = status in REFUSALS | NOT_EVEN_READ or any(part in body for part in proofs.get(status, []))
        require(proof or not isinstance(failure, RejectedError), "a refusal needs a proof")
        return any(not isinstance(each, GatewayError) for each in found)

    return check


def fuzz(target: str, seconds: float) -> None:
    """Feed one target until the time is over; ends the process, as libFuzzer does."""
    try:
        import atheris  # noqa: PLC0415 - only this script needs it
    except ImportError:
        sys.exit("fuzzing needs atheris: pip install atheris (there are wheels for Linux)")
    with atheris.instrument_imports(include=["mkdocs_gptimage", "yaml.scanner", "yaml.parser"]):
        check = {"blocks": block_checker, "answers": answer_checker}[target]()
    count = Count()
    end = time.monotonic() + seconds

    def feed(data: bytes) -> None:
        count.inputs += 1
        try:
            count.answers += check(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
            count.note(data, error)
        if time.monotonic() > end:
            count.show(target)
            sys.stdout.flush()
            os._exit(1 if count.faults else 0)

    with tempfile.TemporaryDirectory() as folder:
        corpus, words = Path(folder, "corpus"), Path(folder, "words")
        corpus.mkdir()
        for index, seed in enumerate(SEEDS[target]):
            (corpus / str(index)).write_text(seed, encoding="utf-8")
        escaped = ["".join(f"\\x{byte:02x}" for byte in word.encode()) for word in WORDS[target]]
        words.write_text("".join(f'"{word}"\n' for word in escaped), encoding="utf-8")
        options = [f"-dict={words}", f"-max_len={LONGEST_INPUT}", f"-timeout={SLOWEST_SECONDS}", "-verbosity=0"]
        atheris.Setup([sys.argv[0], *options, str(corpus)], feed)
        atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="?", choices=SEEDS)
    parser.add_argument("--seconds", type=float, default=240.0)
    options = parser.parse_args()
    if options.target:
        fuzz(options.target, options.seconds)
    # A process each: libFuzzer ends the one it runs in.
    shares = [(target, options.seconds / len(SEEDS)) for target in SEEDS]
    done = [
        subprocess.run([sys.executable, __file__, "--seconds", str(share), target], check=False)
        for target, share in shares
    ]
    sys.exit(max(each.returncode for each in done))


if __name__ == "__main__":
    main()
