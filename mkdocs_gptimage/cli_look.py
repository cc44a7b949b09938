"""The commands that look and change nothing: `plan`, `check`, `list`; none needs a key or a network."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

from . import cli_common, inventory, production, reporting, reporting_json, verification, workflow
from .cli_common import EXIT_INCOMPLETE
from .store import Damage, Entry, Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .survey import Survey


@click.command()
@cli_common.config_file_option
@cli_common.json_option
@click.option("-v", "--verbose", is_flag=True, help="Show whole prompts, as they are sent.")
@cli_common.with_exit_codes
def plan(config_file: str, as_json: bool, verbose: bool) -> None:
    """Show what a build would generate, and what it would cost.

    Exits with 1 when something is not in the store.
    """
    site = cli_common.read_with_drafts(config_file)
    found = cli_common.survey(cli_common.look_ahead(site), site, site.drafts)
    problems = site.catalog.problems
    if as_json:
        click.echo(reporting_json.survey(found, problems))
    else:
        _print(found, verbose=verbose)
    _end(found.plan.is_complete, problems, told=as_json)


@click.command()
@cli_common.config_file_option
@cli_common.json_option
@click.option("--allow-orphans", is_flag=True, help="Accept stored pictures that no page asks for.")
@click.option("--github", is_flag=True, help="Print problems as annotations of a GitHub workflow.")
@click.option("--store-only", is_flag=True, help="Verify all that is stored, and read no page.")
@cli_common.with_exit_codes
def check(config_file: str, as_json: bool, allow_orphans: bool, github: bool, store_only: bool) -> None:
    """Verify that every picture is in the store, whole, byte by byte, and none too many.

    Exits with 1 when something is missing, damaged, in flight or orphaned.
    """
    if store_only:
        _check_store(config_file, as_json=as_json, github=github)
    site = cli_common.read_with_drafts(config_file)
    verified = verification.verify(site.store, site.catalog.pictures)
    plan = production.look_ahead(site.catalog, verified.get, site.settings, with_strays=True)
    found = cli_common.survey(plan, site, site.drafts)
    used = {row.digest for row in plan.rows}
    condition = reporting.Condition(
        {digest: damage for digest in used if isinstance(damage := verified[digest], Damage)},
        site.store.leftovers(used),
    )
    problems = site.catalog.problems
    if as_json:
        click.echo(reporting_json.survey(found, problems, condition))
    elif github:
        orphans = () if allow_orphans else found.orphans
        lines = [*problems, *production.not_stored(plan), *reporting.orphan_problems(orphans, site.settings.project)]
        click.echo("\n".join([*workflow.errors(lines, site.settings.project), reporting.counted(found)]))
    else:
        _print(found, condition=condition)
    _end(plan.is_complete and (allow_orphans or not found.orphans), problems, told=as_json or github)


def _print(found: Survey, *, condition: reporting.Condition | None = None, verbose: bool = False) -> None:
    if sys.stdout.isatty():
        from . import tables  # noqa: PLC0415 - loads rich, for those who look

        tables.show(found, condition=condition, verbose=verbose)
    else:
        click.echo(reporting.as_text(found, condition=condition, verbose=verbose))


def _check_store(config_file: str, *, as_json: bool, github: bool) -> NoReturn:
    settings = cli_common.read_settings(config_file)
    store = Store(settings.store)
    verified = verification.verify(store, store.digests())
    damages = [found for found in verified.values() if isinstance(found, Damage)]
    leftovers = store.leftovers(verified)
    if as_json:
        click.echo(reporting_json.store(len(verified), damages, leftovers))
    elif github:
        lines = reporting.damage_problems(damages, settings.project)
        click.echo("\n".join([*workflow.errors(lines, settings.project), reporting.verified(len(verified), damages)]))
    else:
        click.echo(reporting.store_as_text(len(verified), damages, leftovers, settings.project))
    sys.exit(EXIT_INCOMPLETE if damages else 0)


@click.command(name="list")
@cli_common.config_file_option
@cli_common.json_option
@cli_common.with_exit_codes
def list_pictures(config_file: str, as_json: bool) -> None:
    """List the site's pictures and what else is stored, for scripts.

    A line has, between tabs, the digest, the state, the file or `-`, and the pages with `,` between them or `-`.
    Exits with 1 when a block is not valid, and with 0 whatever the pictures' states are.
    """
    site = cli_common.read_with_drafts(config_file)
    problems = site.problems
    found = cli_common.survey(cli_common.look_ahead(site), site, site.drafts)
    looked = [(picture, site.store.look(digest)) for digest, picture in site.drafts.items()]
    drafts = [(picture, entry if isinstance(entry, Entry) else None) for picture, entry in looked]
    items = inventory.items(found, site.settings.project, drafts)
    click.echo(
        inventory.as_json(items, problems, site.warnings) if as_json else inventory.as_text(items),
        nl=bool(items) or as_json,
    )
    _end(True, problems, told=as_json)


def _end(is_fine: bool, problems: Sequence[str], *, told: bool) -> NoReturn:
    """Say what is wrong with blocks, and exit accordingly."""
    if problems and not told:
        click.echo("\n".join(problems), err=True)
    sys.exit(0 if is_fine and not problems else EXIT_INCOMPLETE)
