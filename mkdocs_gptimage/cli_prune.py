"""The command that deletes, and only when it is told to: `prune`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import branches, cli_common, orphans, pruning, reporting, reporting_json
from .cli_common import EXIT_INCOMPLETE
from .errors import MissingPicturesError
from .inventory import shown
from .spec import SHORT_DIGEST

if TYPE_CHECKING:
    from .orphans import Orphan
    from .plugin import GptImagePlugin
    from .pruning import Pruning


@click.command()
@cli_common.config_file_option
@cli_common.json_option
@click.option("--apply", "applies", is_flag=True, help="Delete what is listed.")
@click.option(
    "--since",
    "refs",
    multiple=True,
    metavar="REF",
    help="Keep what the pages of this branch, tag or commit ask for; may be repeated.",
)
@cli_common.with_exit_codes
def prune(config_file: str, as_json: bool, applies: bool, refs: tuple[str, ...]) -> None:
    """List stored pictures that no page asks for, candidates included, and files of the cache that nobody needs.

    Deletes them with --apply, but never while blocks of the site have problems, or when a branch of --since cannot be
    read. Both exit with an error.
    """
    plugin = cli_common.read(config_file)
    if plugin.reader.catalog.problems:
        click.echo("\n".join(plugin.reader.catalog.problems), err=True)
        click.echo("gptimage: nothing is pruned while blocks have problems: their pictures are not known", err=True)
        sys.exit(EXIT_INCOMPLETE)
    kept = set[str]().union(*(branches.asked_for(ref, Path(config_file)) for ref in refs))
    found = _find(plugin, kept)
    survey = cli_common.survey(cli_common.look_ahead(plugin), plugin)
    if not as_json:
        for orphan in found.orphans:
            click.echo(_line(orphan, survey.state_of_orphan(orphan)))
    if applies:
        _require_pictures(found, plugin)
        pruning.apply(found, plugin.store)
    click.echo(reporting_json.pruning(found, survey, applied=applies) if as_json else _summary(found, applies=applies))


def _line(orphan: Orphan, state: str) -> str:
    size = reporting.megabytes(orphan.entry.image.bytes)
    return f"{orphan.digest[:SHORT_DIGEST]}  {state:9}  {size:>8}  {reporting.shortened(reporting.prompt_of(orphan))}"


def _find(plugin: GptImagePlugin, kept: set[str]) -> Pruning:
    catalog, settings = plugin.reader.catalog, plugin.settings
    return pruning.find(orphans.find(plugin.store, catalog.pictures), kept, catalog, plugin.store, settings.cache)


def _require_pictures(found: Pruning, plugin: GptImagePlugin) -> None:
    """A site without a single picture is more likely one that was not read right."""
    if found.orphans and not plugin.reader.catalog.pictures:
        folder = shown(plugin.settings.store, plugin.settings.project)
        raise MissingPicturesError(
            f"the pages ask for no picture, and nothing was deleted; if that is right, delete the folder {folder}"
        )


def _summary(found: Pruning, *, applies: bool) -> str:
    stored = f"{reporting.pictures(len(found.orphans))} ({reporting.megabytes(found.stored_bytes)})"
    files = "1 file" if len(found.files) == 1 else f"{len(found.files)} files"
    what = f"{stored} of the store and {files} of the cache"
    if applies:
        return f"Deleted {what}"
    to_do = "; 'gptimage prune --apply' deletes them" if found.orphans or found.files else ""
    return f"Nobody needs {what}{to_do}"
