"""The command `prune`: lists unused pictures and files of the cache, and deletes them with `--apply`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import branches, cli_common, configurations, orphans, pruning, reporting, reporting_json
from .cli_common import EXIT_INCOMPLETE
from .errors import MissingPicturesError
from .inventory import shown
from .spec import SHORT_DIGEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .orphans import Orphan
    from .plugin import GptImagePlugin
    from .pruning import Pruning
    from .whole_site import WholeSite


@click.command()
@cli_common.config_file_option
@cli_common.json_option
@click.option("--apply", "applies", is_flag=True, help="Delete what is listed.")
@click.option(
    "--since",
    "refs",
    multiple=True,
    metavar="REF",
    help="Keep what this branch, tag or commit stores; may be repeated.",
)
@click.option(
    "--also",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Keep what the pages of this other configuration ask for, which uses the same store; may be repeated.",
)
@cli_common.with_exit_codes
def prune(config_file: str, as_json: bool, applies: bool, refs: tuple[str, ...], also: tuple[str, ...]) -> None:
    """List stored pictures that no page asks for, candidates included, and unused files of the cache.

    Deletes them with --apply, but nothing that is younger than an hour, and never while blocks of the site have
    problems, a plugin warns of a page, another configuration may use the same store, or a branch of --since stores no
    picture. All of these exit with an error.
    """
    whole, *others = [cli_common.read_whole(name) for name in (config_file, *also)]
    problems = list(dict.fromkeys(problem for each in (whole, *others) for problem in each.problems))
    if problems:
        click.echo("\n".join(problems), err=True)
        click.echo("gptimage: nothing is pruned while blocks have problems: their pictures are not known", err=True)
        sys.exit(EXIT_INCOMPLETE)
    files = [Path(name) for name in (config_file, *also)]
    plugin = whole.plugin
    of_branches = (branches.stored_at(ref, plugin.settings.store, plugin.settings.project) for ref in refs)
    kept = set(whole.drafts).union(*(each.needed for each in others), *of_branches)
    found = _find(whole, kept)
    survey = cli_common.survey(cli_common.look_ahead(plugin), plugin, kept)
    if not as_json:
        for orphan in found.orphans:
            click.echo(_line(orphan, survey.state_of_orphan(orphan)))
        for orphan in found.young:
            click.echo(f"{_line(orphan, survey.state_of_orphan(orphan))}  (younger than an hour: stays)")
    doubt = _doubt([whole, *others], files)
    if doubt:
        click.echo(
            f"gptimage: {'nothing was deleted' if applies else '--apply would delete nothing'}: {doubt}", err=True
        )
    if applies and doubt:
        sys.exit(EXIT_INCOMPLETE)
    if applies:
        _require_pictures(found, plugin)
        pruning.apply(found, plugin.store)
    click.echo(reporting_json.pruning(found, survey, applied=applies) if as_json else _summary(found, applies=applies))


def _doubt(sites: Sequence[WholeSite], files: Sequence[Path]) -> str:
    """Why pages may use pictures that were not found; empty when nothing suggests it."""
    warned = [warning for site in sites for warning in site.warnings]
    if warned:
        return f"a page may lack some of its text, because of this warning: {warned[0]}; mend it first"
    unread = [path.name for path in configurations.beside(files)]
    if unread:
        options = " ".join(f"--also {name}" for name in unread)
        return f"{', '.join(unread)} may use the same store; give {options}, so that its pictures are kept"
    return ""


def _line(orphan: Orphan, state: str) -> str:
    size = reporting.megabytes(orphan.entry.image.bytes)
    return f"{orphan.digest[:SHORT_DIGEST]}  {state:9}  {size:>8}  {reporting.shortened(reporting.prompt_of(orphan))}"


def _find(whole: WholeSite, kept: set[str]) -> Pruning:
    plugin = whole.plugin
    catalog, store = plugin.reader.catalog, plugin.store
    unneeded = [orphan for orphan in orphans.find(store, whole.needed) if orphan.digest in whole.stored]
    return pruning.find(unneeded, kept, catalog, store, plugin.settings.cache)


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
    return f"Unused: {what}{to_do}"
