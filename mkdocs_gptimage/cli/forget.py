"""`gptimage forget`: give up pictures that were submitted and are not stored."""

from __future__ import annotations

import sys

import click

from mkdocs_gptimage.cli import common
from mkdocs_gptimage.cli.common import EXIT_INCOMPLETE
from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.journal.journal import open_journal, read_submissions
from mkdocs_gptimage.maintenance.forget import forget as forget_submissions
from mkdocs_gptimage.maintenance.forget import select_submissions
from mkdocs_gptimage.plan.in_flight import read_others
from mkdocs_gptimage.report.as_text import submission_line
from mkdocs_gptimage.text import counted


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="ID-DIGEST-OR-SERVICE...")
@common.config_file_option
@click.option("-y", "--yes", is_flag=True, help="Don't ask; needed without a terminal.")
@common.with_exit_codes
def forget(names: tuple[str, ...], config_file: str, yes: bool) -> None:
    """Give up pictures that were submitted and are not stored.

    For a service that is gone, or a picture that never comes. They are missing again: the next build pays for them
    anew, and what was paid before is lost. Takes ids, digests, and the host or address of a service.
    """
    site = common.read_site(config_file)
    settings = site.settings
    others = read_others(settings, site.catalog.pictures.keys())
    elsewhere = {digest: each.submission for digest, each in others.items()}
    chosen = select_submissions(names, {**elsewhere, **read_submissions(settings.journal)}, site.catalog)
    for submission in chosen:
        common.echo(submission_line(submission), err=True)
    question = f"Give up {counted(len(chosen), 'picture')}? The next build that needs them pays again"
    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigurationError(f"{question}. Without a terminal, confirm with --yes; nothing was given up")
    if not yes and not click.confirm(question, err=True):
        common.echo("Nothing was given up.", err=True)
        sys.exit(EXIT_INCOMPLETE)
    for home in dict.fromkeys((settings.journal, *(each.store.journal for each in others.values()))):
        with open_journal(home) as journal:
            forget_submissions(chosen, journal, home)
    common.echo(f"Gave up {counted(len(chosen), 'picture')}")
