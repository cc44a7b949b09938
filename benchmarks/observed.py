"""`mkdocs build` of one configuration, observed from inside: prints what the generation took, as JSON."""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import TYPE_CHECKING, Any

from mkdocs.__main__ import cli

from mkdocs_gptimage.generate import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from mkdocs_gptimage.generate.result import RunResult


def cpu() -> float:
    """Seconds of CPU of this process so far, in user and system mode."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def observe(run_plan: Callable[..., RunResult], seen: dict[str, Any]) -> Callable[..., RunResult]:
    """Note the clock and the CPU around the run, its first submit, and its last stored picture."""

    def observed(*args: Any, **kwargs: Any) -> RunResult:
        from mkdocs_gptimage.generate.collect import Collector  # noqa: PLC0415 - imported in the run, as in every build
        from mkdocs_gptimage.generate.submit import Submitter  # noqa: PLC0415 - imported in the run, as in every build

        submit, collect = Submitter.submit, Collector.collect

        async def first(self: Any, *values: Any) -> Any:
            seen.setdefault("first_submit", time.time())
            return await submit(self, *values)

        async def last(self: Any, *values: Any) -> Any:
            entry = await collect(self, *values)
            seen["last_store"] = time.time()
            return entry

        Submitter.submit, Collector.collect = first, last  # type: ignore[method-assign]
        before = cpu()
        try:
            result = run_plan(*args, **kwargs)
        finally:
            seen["cpu"] = cpu() - before
        seen["stored"] = sum(outcome.entry is not None for outcome in result.outcomes)
        seen["tasks"] = [outcome.entry.made.task_id for outcome in result.outcomes if outcome.entry is not None]
        return result

    return observed


def main() -> None:
    seen: dict[str, Any] = {}
    started = cpu()
    run.run_plan = observe(run.run_plan, seen)
    cli(["build", "--quiet", "--config-file", sys.argv[1]], standalone_mode=False)
    seen["build_cpu"] = cpu() - started
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
