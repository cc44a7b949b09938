"""The commands that pay: `generate` and `regenerate`."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

import click

from . import candidates, cli_common, planning, production, regeneration, reporting, reporting_json, selection
from .cli_common import EXIT_INCOMPLETE
from .errors import ConfigurationError
from .inventory import shown
from .planning import State
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .planning import Plan
    from .whole_site import Site

log = logging.getLogger("mkdocs.plugins.gptimage")


@click.command()
@cli_common.config_file_option
@cli_common.json_option
@cli_common.yes_option
@cli_common.retry_option
@click.option(
    "--only",
    multiple=True,
    metavar="PAGE-OR-ID",
    help="Make only what this page, folder, id or digest asks for, and what that is drawn from; may be repeated.",
)
@click.option("--limit", type=click.IntRange(min=0), help="Pay for at most so many pictures.")
@cli_common.with_exit_codes
def generate(  # noqa: PLR0913 - one for each option
    config_file: str, as_json: bool, yes: bool, retry_unknown: bool, only: tuple[str, ...], limit: int | None
) -> None:
    """Make every picture that the site asks for and the store does not have.

    Collects what an earlier run left in flight first, which is free. Asks before it pays, in a terminal. Exits with 1
    when a picture that it was asked for is still not there.
    """
    site = cli_common.read(config_file)
    cli_common.stop_at_problems(site, as_json=as_json)
    whole = cli_common.look_ahead(site)
    if retry_unknown:
        whole = planning.with_unknown_as_missing(whole, site.settings.prices)
    plan = _selected(whole, site, only, limit)
    if not cli_common.may_pay(plan, site.settings, os.environ, yes=yes):
        click.echo("Nothing was submitted.", err=True)
        sys.exit(EXIT_INCOMPLETE)
    result = production.produce(plan, site.settings, site.store, os.environ, log)
    click.echo(reporting_json.result(result) if as_json else reporting.result_as_text(result))
    left_out = len(whole.only(State.MISSING)) - len(plan.only(State.MISSING))
    if left_out:
        click.echo(f"{reporting.pictures(left_out)} more to make, left out by --only or --limit", err=True)
    sys.exit(EXIT_INCOMPLETE if result.problems else 0)


def _selected(plan: Plan, site: Site, only: Sequence[str], limit: int | None) -> Plan:
    """What is left of a plan by --only and --limit."""
    if only:
        docs = shown(site.settings.docs, site.settings.project)
        plan = planning.only(plan, selection.of_pages(only, site.catalog, docs))
    return plan if limit is None else planning.limited(plan, limit)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="ID-OR-DIGEST...")
@cli_common.config_file_option
@cli_common.json_option
@cli_common.yes_option
@cli_common.retry_option
@click.option("--keep", is_flag=True, help="Keep the picture that there is, and the new one beside it as a candidate.")
@click.option("--candidates", "count", type=click.IntRange(1, 20), help="Draw so many candidates to choose from.")
@click.option("--accept", is_flag=True, help="Take these candidates, by their digests, in place of their pictures.")
@click.option("--discard", is_flag=True, help="Delete candidates, by their digests or those of their pictures.")
@cli_common.with_exit_codes
def regenerate(  # noqa: PLR0913 - one for each option
    names: tuple[str, ...],
    config_file: str,
    as_json: bool,
    yes: bool,
    retry_unknown: bool,
    keep: bool,
    count: int | None,
    accept: bool,
    discard: bool,
) -> None:
    """Draw stored pictures anew.

    The new picture takes the place of the old one when it is there. With --keep or --candidates it waits beside it:
    the site shows the old one until --accept. Asks before it pays, in a terminal.
    """
    if accept + discard + bool(keep or count) > 1:
        raise ConfigurationError("--accept, --discard and --keep or --candidates exclude each other")
    if accept or discard:
        _decide(names, config_file, accept=accept)
        return
    site = cli_common.read(config_file)
    cli_common.stop_at_problems(site, as_json=as_json)
    chosen = selection.of_pictures(names, site.catalog)
    run = regeneration.prepare(chosen, site.store, site.settings, count or 1, keeps=keep or count is not None)
    plan = run.plan
    if retry_unknown:
        plan = planning.with_unknown_as_missing(plan, site.settings.prices)
    if not cli_common.may_pay(plan, site.settings, os.environ, yes=yes):
        click.echo("Nothing was submitted.", err=True)
        sys.exit(EXIT_INCOMPLETE)
    result = production.produce(plan, site.settings, site.store, os.environ, log)
    made = {outcome.digest for outcome in result.outcomes if outcome.entry is not None}
    ends = regeneration.finish(run, made, site.store, site.settings.cache)
    children = regeneration.drawn_from(ends, site.catalog, site.store)
    if as_json:
        click.echo(reporting_json.regeneration(result, ends))
    else:
        click.echo(reporting.regeneration_as_text(result, ends, children, site.settings.project))
    problems = [end.problem for end in ends if end.problem]
    if problems:
        click.echo("\n".join(problems), err=True)
    sys.exit(EXIT_INCOMPLETE if result.problems or problems else 0)


def _decide(names: Sequence[str], config_file: str, *, accept: bool) -> None:
    settings = cli_common.read_settings(config_file)
    store = Store(settings.store)
    if accept:
        for entry in candidates.accept(names, store, settings.cache):
            click.echo(f"{shown(entry.path, settings.project)}: is the candidate now; the others were deleted")
    else:
        for path in candidates.discard(names, store):
            click.echo(f"{shown(path, settings.project)}: deleted")
