"""What `gptimage plan` takes for a site, beside the same pages rendered by MkDocs alone.

The build that is compared ends when all pages are rendered, as a plan does, and leaves the fences as code blocks.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import sites

_END_OF_READING = """def on_env(*_, **__):
    raise SystemExit(0)
"""
_PLAN = "from mkdocs_gptimage.cli import main; main()"


def main() -> None:
    options = sites.arguments(
        __doc__,
        ("pages", int, 1000, "pages, each with a block"),
        ("pairs", int, 5, "runs of each kind"),
        ("stored", int, 1, "0: no picture is stored"),
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sites.write_site(folder, options.pages, blocks=True)
        if options.stored:
            sites.fill_store(folder, options.pages)
        ours = sites.configure(folder, "ours", f"[{sites.PLUGIN}]")
        plain = sites.configure(folder, "plain", "[]")
        (folder / "stop.py").write_text(_END_OF_READING, encoding="utf-8")
        plain.write_text(f"{plain.read_text(encoding='utf-8')}hooks: [stop.py]\n", encoding="utf-8")
        script = folder / "plan.py"
        # A plan with pictures missing ends with 1, which is no failure here.
        script.write_text(f"try:\n    {_PLAN}\nexcept SystemExit:\n    pass\n", encoding="utf-8")
        plan = (str(script), "plan", "--json", "-f", str(ours))
        assert len(json.loads(sites.run(*plan).output)["pictures"]) == options.pages
        sites.build(plain)
        runs = [(sites.build(plain), sites.run(*plan)) for _ in range(options.pairs)]
    sites.row("user CPU: pages rendered by MkDocs alone", "", sites.summary([a.user for a, _ in runs], "s", 2))
    sites.row("user CPU: gptimage plan", "", sites.summary([b.user for _, b in runs], "s", 2))
    sites.row("  ratio", "1.2", sites.summary([b.user / a.user for a, b in runs], ""))
    sites.row("  ratio of wall times", "", sites.summary([b.seconds / a.seconds for a, b in runs], ""))


if __name__ == "__main__":
    main()
