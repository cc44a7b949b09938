"""`gptimage gallery`: write one page that shows every picture."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path

import click

from mkdocs_gptimage import read_only
from mkdocs_gptimage.cli import common
from mkdocs_gptimage.cli.common import EXIT_INCOMPLETE


@click.command()
@common.config_file_option
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.  [default: gallery.html in the cache folder]",
)
@click.option("--open", "opens", is_flag=True, help="Show it in the browser.")
@common.with_exit_codes
def gallery(config_file: str, output: Path | None, opens: bool) -> None:
    """Write one page that shows every picture, what it cost, who uses it and how it stands.

    Exits with 1 when blocks have problems: their pictures are not on it.
    """
    from mkdocs_gptimage.gallery.items import gallery_items  # noqa: PLC0415 - for this command alone
    from mkdocs_gptimage.gallery.page import GALLERY_FILE, write_gallery  # noqa: PLC0415 - for this command alone

    site = common.read_site(config_file)
    problems = site.catalog.problems
    survey = common.site_status(common.plan_site(site), site)
    found = gallery_items(survey, site.mentions)
    target = output or site.settings.cache / GALLERY_FILE
    write_gallery(target, found, problems, site.settings)
    common.echo(target)
    if opens:
        with read_only.variable_hidden():
            webbrowser.open(target.resolve().as_uri())
    if problems:
        common.echo("\n".join(map(str, problems)), err=True)
        sys.exit(EXIT_INCOMPLETE)
