"""`gptimage plan`: show what a build would generate, and what it would cost."""

from __future__ import annotations

import click

from mkdocs_gptimage.cli import common
from mkdocs_gptimage.cli.common import exit_with, print_status
from mkdocs_gptimage.report.as_json import status_json


@click.command()
@common.config_file_option
@common.json_option
@click.option("-v", "--verbose", is_flag=True, help="Show whole prompts, as they are sent.")
@common.with_exit_codes
def plan(config_file: str, as_json: bool, verbose: bool) -> None:
    """Show what a build would generate, and what it would cost.

    Exits with 1 when something is not in the store.
    """
    site = common.read_site_with_drafts(config_file)
    found = common.site_status(common.plan_site(site), site, site.drafts)
    problems = site.catalog.problems
    if as_json:
        common.echo_json(status_json(found, problems))
    else:
        print_status(found, verbose=verbose)
    exit_with(found.plan.is_complete, problems, reported=as_json)
