"""`gptimage regenerate`: draw stored pictures anew, and decide about candidates."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mkdocs_gptimage import read_only
from mkdocs_gptimage.catalog.selection import select_pictures
from mkdocs_gptimage.cli import common
from mkdocs_gptimage.cli.common import EXIT_INCOMPLETE
from mkdocs_gptimage.cli.generate import log
from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.generate.run import run_plan
from mkdocs_gptimage.generate.workspace import Workspace
from mkdocs_gptimage.maintenance.candidates import accept_candidates, discard_candidates
from mkdocs_gptimage.maintenance.regenerate import finish_regeneration, pictures_drawn_from, prepare_regeneration
from mkdocs_gptimage.plan.plan import with_unknown_as_missing
from mkdocs_gptimage.report.as_json import regeneration_json
from mkdocs_gptimage.report.as_text import regeneration_text
from mkdocs_gptimage.report.listing import shown_path
from mkdocs_gptimage.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="PICTURE...")
@common.config_file_option
@common.json_option
@common.yes_option
@common.retry_option
@click.option("--keep", is_flag=True, help="Keep the picture that there is, and the new one beside it as a candidate.")
@click.option("--candidates", "count", type=click.IntRange(1, 20), help="Draw so many candidates to choose from.")
@click.option("--accept", is_flag=True, help="Take these candidates, by their digests, in place of their pictures.")
@click.option("--discard", is_flag=True, help="Delete candidates, by their digests or those of their pictures.")
@common.with_exit_codes
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
    """Draw stored pictures anew, each named by an id, the beginning of a digest, or its place: docs/page.md:18.

    The new picture takes the place of the old one when it is there. With --keep or --candidates it waits beside it:
    the site shows the old one until --accept. Asks before it pays, in a terminal.
    """
    if accept + discard + bool(keep or count) > 1:
        raise ConfigurationError("--accept, --discard and --keep or --candidates exclude each other")
    if accept or discard:
        _decide(names, config_file, accept=accept)
        return
    site = common.read_site(config_file)
    common.stop_at_problems(site, as_json=as_json)
    chosen = select_pictures(names, site.catalog, common.docs_folder(site))
    run = prepare_regeneration(chosen, site.store, site.settings, count or 1, keeps=keep or count is not None)
    plan = run.plan
    if retry_unknown:
        plan = with_unknown_as_missing(plan, site.settings.prices)
    environment = read_only.outer_environment()
    if not common.may_pay(plan, site.settings, environment, yes=yes):
        common.echo("Nothing was submitted.", err=True)
        sys.exit(EXIT_INCOMPLETE)
    result = run_plan(plan, Workspace(site.settings, site.store, environment, log, run.objection))
    made = {outcome.digest for outcome in result.outcomes if outcome.entry is not None}
    ends = finish_regeneration(run, made, site.store, site.settings.cache)
    children = pictures_drawn_from(ends, site.catalog, site.store)
    if as_json:
        common.echo_json(regeneration_json(result, ends))
    else:
        common.echo(regeneration_text(result, ends, children, site.settings.project))
    problems = [end.problem for end in ends if end.problem]
    if problems:
        common.echo("\n".join(problems), err=True)
    sys.exit(EXIT_INCOMPLETE if result.problems or problems else 0)


def _decide(names: Sequence[str], config_file: str, *, accept: bool) -> None:
    settings = common.read_settings(config_file)
    store = Store(settings.store)
    if accept:
        for entry in accept_candidates(names, store, settings.cache):
            common.echo(f"{shown_path(entry.path, settings.project)}: is the candidate now; the others were deleted")
    else:
        for path in discard_candidates(names, store):
            common.echo(f"{shown_path(path, settings.project)}: deleted")
