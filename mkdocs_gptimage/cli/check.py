"""`gptimage check`: verify that every picture is in the store, byte by byte."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from mkdocs_gptimage.cli import common
from mkdocs_gptimage.cli.common import EXIT_INCOMPLETE, exit_with, print_status
from mkdocs_gptimage.plan.messages import not_stored
from mkdocs_gptimage.plan.plan import make_plan
from mkdocs_gptimage.report.as_github import github_errors, github_warnings
from mkdocs_gptimage.report.as_json import status_json, store_json
from mkdocs_gptimage.report.as_text import (
    StoreCondition,
    counts_line,
    damage_problems,
    orphan_problems,
    store_text,
    verified_line,
)
from mkdocs_gptimage.store.audit import find_leftovers, verify_all
from mkdocs_gptimage.store.entry import Damage
from mkdocs_gptimage.store.snapshot import StoreSnapshot
from mkdocs_gptimage.store.store import Store


@click.command()
@common.config_file_option
@common.json_option
@click.option("--no-orphans", is_flag=True, help="Fail for stored pictures that no page asks for.")
@click.option("--github", is_flag=True, help="Print problems as annotations of a GitHub workflow.")
@click.option("--store-only", is_flag=True, help="Verify all that is stored, and read no page.")
@common.with_exit_codes
def check(config_file: str, as_json: bool, no_orphans: bool, github: bool, store_only: bool) -> None:
    """Verify that every picture is in the store, whole, byte by byte.

    Exits with 1 when something is missing, damaged or in flight. Stored pictures that no page asks for are named, and
    fail with --no-orphans only.
    """
    if store_only:
        _check_store(config_file, as_json=as_json, github=github)
    site = common.read_site_with_drafts(config_file)
    verified = verify_all(site.store, site.catalog.pictures)
    plan = make_plan(site.catalog, StoreSnapshot(site.store, verified), site.settings, include_unclaimed=True)
    found = common.site_status(plan, site, site.drafts)
    used = {row.digest for row in plan.rows}
    condition = StoreCondition(
        {digest: damage for digest in used if isinstance(damage := verified[digest], Damage)},
        find_leftovers(site.store, used),
    )
    problems = site.catalog.problems
    common.warn_of_ignored_store(site.settings)
    if as_json:
        common.echo_json(status_json(found, problems, condition))
    elif github:
        project, orphans = site.settings.project, orphan_problems(found.orphans, site.settings.project)
        errors = github_errors([*problems, *not_stored(plan), *(orphans if no_orphans else ())], project)
        warnings = () if no_orphans else github_warnings(orphans, project)
        common.echo("\n".join([*errors, *warnings, counts_line(found)]))
    else:
        print_status(found, condition=condition)
    exit_with(plan.is_complete and not (no_orphans and found.orphans), problems, reported=as_json or github)


def _check_store(config_file: str, *, as_json: bool, github: bool) -> NoReturn:
    settings = common.read_settings(config_file)
    store = Store(settings.store)
    verified = verify_all(store, store.digests())
    damages = [found for found in verified.values() if isinstance(found, Damage)]
    leftovers = find_leftovers(store, verified)
    common.warn_of_ignored_store(settings)
    if as_json:
        common.echo_json(store_json(len(verified), damages, leftovers))
    elif github:
        annotated = damage_problems(damages, settings.project)
        common.echo("\n".join([*github_errors(annotated, settings.project), verified_line(len(verified), damages)]))
    else:
        common.echo(store_text(len(verified), damages, leftovers, settings.project))
    sys.exit(EXIT_INCOMPLETE if damages else 0)
