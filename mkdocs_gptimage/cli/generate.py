"""`gptimage generate`: make every picture that is missing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mkdocs_gptimage import read_only
from mkdocs_gptimage.catalog.selection import select_digests
from mkdocs_gptimage.cli import common
from mkdocs_gptimage.cli.common import EXIT_INCOMPLETE
from mkdocs_gptimage.cli.replaced import offer_to_delete
from mkdocs_gptimage.generate.run import run_plan
from mkdocs_gptimage.generate.workspace import Workspace
from mkdocs_gptimage.plan.plan import limit_to, restrict_to, with_unknown_as_missing
from mkdocs_gptimage.plan.states import State
from mkdocs_gptimage.report.as_json import result_json
from mkdocs_gptimage.report.as_text import result_text
from mkdocs_gptimage.text import counted, plugin_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mkdocs_gptimage.hosts.site import Site
    from mkdocs_gptimage.plan.plan import Plan


log = plugin_log()


@click.command()
@click.argument("names", nargs=-1, metavar="[PICTURE]...")
@common.config_file_option
@common.json_option
@common.yes_option
@common.retry_option
@click.option(
    "--only",
    multiple=True,
    metavar="PICTURE",
    help="The same as an argument; may be repeated.",
)
@click.option("--limit", type=click.IntRange(min=0), help="Pay for at most so many pictures.")
@common.with_exit_codes
def generate(  # noqa: PLR0913 - one for each option
    names: tuple[str, ...],
    config_file: str,
    as_json: bool,
    yes: bool,
    retry_unknown: bool,
    only: tuple[str, ...],
    limit: int | None,
) -> None:
    """Make every picture that the site asks for and the store does not have.

    With names, only those and what they are drawn from: a page, a folder, a line of a block (docs/page.md:18), an id,
    or the beginning of a digest.

    Collects what an earlier run left in flight first, which is free. Asks before it pays, in a terminal. Exits with 1
    when a picture that it was asked for is still not there.
    """
    site = common.read_site(config_file)
    common.stop_at_problems(site, as_json=as_json)
    whole = common.plan_site(site)
    if retry_unknown:
        whole = with_unknown_as_missing(whole, site.settings.prices)
    plan = _selected(whole, site, (*names, *only), limit)
    replaced = common.site_status(whole, site).replaced
    environment = read_only.outer_environment()
    if not common.may_pay(plan, site.settings, environment, yes=yes):
        common.echo("Nothing was submitted.", err=True)
        sys.exit(EXIT_INCOMPLETE)
    try:
        result = run_plan(plan, Workspace(site.settings, site.store, environment, log))
    finally:
        common.leave_root(site, is_whole=False)  # the store may be new
    if as_json:
        common.echo_json(result_json(result))
    else:
        common.echo(result_text(result))
    left_out = len(whole.only(State.MISSING)) - len(plan.only(State.MISSING))
    if left_out:
        common.echo(f"{counted(left_out, 'picture')} more to make, left out by names or --limit", err=True)
    made = {outcome.digest for outcome in result.outcomes if outcome.entry is not None}
    if not as_json:
        offer_to_delete([orphan for digest, orphan in replaced.items() if digest in made], site, config_file)
    sys.exit(EXIT_INCOMPLETE if result.problems else 0)


def _selected(plan: Plan, site: Site, only: Sequence[str], limit: int | None) -> Plan:
    """What is left of a plan by names and --limit."""
    if only:
        plan = restrict_to(plan, select_digests(only, site.catalog, common.docs_folder(site)))
    return plan if limit is None else limit_to(plan, limit)
