"""The command `gallery`: it looks at everything that there is, and needs neither a key nor a network."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path

import click

from . import cli_common
from .cli_common import EXIT_INCOMPLETE


@click.command()
@cli_common.config_file_option
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.  [default: gallery.html in the cache folder]",
)
@click.option("--open", "opens", is_flag=True, help="Show it in the browser.")
@cli_common.with_exit_codes
def gallery(config_file: str, output: Path | None, opens: bool) -> None:
    """Write one page that shows every picture, what it cost, who uses it and how it stands.

    Exits with 1 when blocks have problems: their pictures are not on it.
    """
    from . import exhibits, gallery  # noqa: PLC0415 - for this command alone

    site = cli_common.read(config_file)
    problems = site.catalog.problems
    survey = cli_common.survey(cli_common.look_ahead(site), site)
    found = exhibits.exhibits(survey, site.mentions)
    target = output or site.settings.cache / gallery.FILE
    gallery.write(target, found, problems, site.settings)
    click.echo(target)
    if opens:
        webbrowser.open(target.resolve().as_uri())
    if problems:
        click.echo("\n".join(problems), err=True)
        sys.exit(EXIT_INCOMPLETE)
