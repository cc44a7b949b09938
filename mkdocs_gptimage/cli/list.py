"""`gptimage list`: the site's pictures and what else is stored, for scripts."""

from __future__ import annotations

import click

from mkdocs_gptimage.cli import common
from mkdocs_gptimage.cli.common import exit_with
from mkdocs_gptimage.report.listing import items_json, items_text, list_items


@click.command(name="list")
@common.config_file_option
@common.json_option
@common.with_exit_codes
def list_pictures(config_file: str, as_json: bool) -> None:
    """List the site's pictures and what else is stored, for scripts.

    A line has, between tabs, the digest, the state, the file or `-`, and the pages with `,` between them or `-`.
    Exits with 1 when a block is not valid, and with 0 whatever the pictures' states are.
    """
    site = common.read_site_with_drafts(config_file)
    problems = site.problems
    found = common.site_status(common.plan_site(site), site, site.drafts)
    drafts = [(picture, site.store.entry(digest)) for digest, picture in site.drafts.items()]
    items = list_items(found, site.settings.project, drafts)
    if as_json:
        common.echo_json(items_json(items, problems, site.warnings))
    else:
        common.echo(items_text(items), nl=bool(items))
    exit_with(True, problems, reported=as_json)
