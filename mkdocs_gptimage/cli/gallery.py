"""`gptimage gallery`: write one page that shows every picture."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mkdocs_gptimage import read_only
from mkdocs_gptimage.cli import common
from mkdocs_gptimage.cli.common import EXIT_INCOMPLETE
from mkdocs_gptimage.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST = 2000
"""Stored pictures on a page, which holds the thumbnail of each: about 30 MB."""
_STEP = 200
"""Pictures between two lines of progress."""


@click.command()
@common.config_file_option
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.  [default: gallery.html in the cache folder]",
)
@click.option("--force", is_flag=True, help="Overwrite the file of -o also if it is not a gallery.")
@click.option("--all", "shows_all", is_flag=True, help="Show all stored pictures, not only the newest 2,000.")
@click.option("--open", "opens", is_flag=True, help="Show it in the browser.")
@common.with_exit_codes
def gallery(config_file: str, output: Path | None, force: bool, shows_all: bool, opens: bool) -> None:
    """Write one page that shows every picture, what it cost, who uses it and how it stands.

    Exits with 1 when blocks have problems: their pictures are not on it.
    """
    from mkdocs_gptimage.gallery.items import gallery_items, limit_items  # noqa: PLC0415 - for this command alone
    from mkdocs_gptimage.gallery.page import (  # noqa: PLC0415 - for this command alone
        GALLERY_FILE,
        require_replaceable,
        write_gallery,
    )

    if output is not None:
        require_replaceable(output, force=force)

    site = common.read_site(config_file)
    problems = site.catalog.problems
    survey = common.site_status(common.plan_site(site), site)
    found = gallery_items(survey, site.mentions)
    target = output or site.settings.cache / GALLERY_FILE
    kept = found if shows_all else limit_items(found, _MOST)
    write_gallery(target, kept, problems, site.settings, _progress(len(kept)))
    if len(kept) < len(found):
        left_out = counted(len(found) - len(kept), "older picture")
        common.echo(f"{left_out} left out, orphans first; 'gptimage gallery --all' shows all", err=True)
    common.echo(target)
    if opens:
        with read_only.variable_hidden():
            webbrowser.open(target.resolve().as_uri())
    if problems:
        common.echo("\n".join(map(str, problems)), err=True)
        sys.exit(EXIT_INCOMPLETE)


def _progress(total: int) -> Callable[[int], None]:
    """Return a function that prints how many pictures are done, now and then, on a page of many."""
    printed = 0

    def report(done: int) -> None:
        nonlocal printed
        if done < total and done - printed >= _STEP:
            printed = done
            common.echo(f"{done} of {total} pictures", err=True)

    return report
