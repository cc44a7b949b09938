"""A command that kills itself: `GPTIMAGE_CRASH` is `MODULE:NAME NUMBER before`, or `after`, that call of a function.

`MODULE:NAME>ENDING` counts only the calls whose last argument ends so.

Run as `crash.py mkdocs …` or `crash.py gptimage …`; without the variable it is that command.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import os
import signal
import sys
import time
from pathlib import Path

CRASH = "GPTIMAGE_CRASH"
COMPANY = "GPTIMAGE_CRASH_COMPANY"
"""A folder of leases: the crash waits until another run has one there."""
_PATIENCE = 20


def arm(crash):
    """Replace the function by one that ends this process at a call of it."""
    target, number, side = crash.split()
    name, _, ending = target.partition(">")
    module, _, path = name.partition(":")
    *owners, name = path.split(".")
    owner = functools.reduce(getattr, owners, importlib.import_module(module))
    function, calls = getattr(owner, name), itertools.count(1)

    @functools.wraps(function)
    def armed(*args, **kwargs):
        is_last = str(args[-1] if args else "").endswith(ending) and next(calls) == int(number)
        if is_last and side == "before":
            die()
        result = function(*args, **kwargs)
        if is_last and side == "after":
            die()
        return result

    setattr(owner, name, armed)


def die():
    if COMPANY in os.environ:
        await_company(Path(os.environ[COMPANY]))
    os.kill(os.getpid(), signal.SIGKILL)


def await_company(leases):
    """Wait until two runs are alive."""
    until = time.monotonic() + _PATIENCE
    while len(list(leases.glob("*.lock"))) < 2 and time.monotonic() < until:
        time.sleep(0.02)


def main():
    if CRASH in os.environ:
        arm(os.environ[CRASH])
    program = sys.argv.pop(1)
    if program == "mkdocs":
        from mkdocs.__main__ import cli as command
    else:
        from mkdocs_gptimage.cli.group import main as command
    command()


if __name__ == "__main__":
    main()
