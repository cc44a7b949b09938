"""The end of a build, when all pages are read: generate, deliver, and add the files of the site."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

from mkdocs_gptimage import figures
from mkdocs_gptimage.errors import MissingPicturesError
from mkdocs_gptimage.generate.result import RunResult
from mkdocs_gptimage.hosts.mkdocs import messages
from mkdocs_gptimage.hosts.mkdocs.files import LinkedFile
from mkdocs_gptimage.journal.roots import leave_root
from mkdocs_gptimage.plan.messages import describe, require_all
from mkdocs_gptimage.plan.plan import Plan, make_plan
from mkdocs_gptimage.plan.states import RUNNABLE, State
from mkdocs_gptimage.publish.delivery import Delivery, PlaceholderContext, deliver
from mkdocs_gptimage.text import plugin_log

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

    from mkdocs_gptimage.generate.workspace import Workspace
    from mkdocs_gptimage.hosts.mkdocs.session import BuildSession
    from mkdocs_gptimage.serve.server import DevelopmentServer
    from mkdocs_gptimage.spec.digest import Digest

log = plugin_log()
STYLESHEET = Path(figures.__file__).with_name("gptimage.css")


def make(session: BuildSession, config: MkDocsConfig, files: Files, server: DevelopmentServer | None) -> Delivery:
    """Plan, generate what may be generated, and return what the site shows; raise `GptImageError`.

    `server` is the development server whose pages get buttons, if there is one. Its pages show the problems of blocks,
    which end every other build.
    """
    mode, settings, catalog = session.mode, session.settings, session.renderer.collector.catalog
    if server is None:
        catalog.require_valid()
    messages.log_problems(catalog.problems, log, is_strict=bool(config.strict))
    for hint in catalog.hints():
        log.info(hint)
    unclaimed = server is not None and server.scans_for_unclaimed()
    warn = None if mode.pays else log.warning
    plan = make_plan(catalog, session.renderer.snapshot, settings, include_unclaimed=unclaimed, warn=warn)
    try:
        if mode.on_missing == "error":
            require_all(plan)
        is_idle = plan.is_complete and not settings.has_earlier_journal
        if mode.pays and not plan.is_complete:
            _require_all_pages(files)
        result = _generate(plan, session, config) if mode.pays and not is_idle else RunResult(plan)
    finally:
        leave_root(
            settings.store, settings.origin, catalog.pictures.keys(), is_whole=mode.sees_all and not catalog.problems
        )
    covers = {spec.digest for _, spec in session.covers(config)}
    placeholders = _placeholders(plan, session, config, server)
    delivery = deliver(result.plan.rows, result.entries, settings, originals=covers, placeholders=placeholders)
    problems = [*result.problems, *map(describe, delivery.damaged)]
    messages.log_result(result, settings, log)
    if server is not None:
        messages.log_offers(result, delivery.damaged, log)
    elif mode.on_missing == "placeholder":
        messages.log_placeholders(result, problems, log)
        if mode.lacks_key and session.is_first and result.plan.only(*RUNNABLE):
            messages.log_missing_key(settings, log)
    else:
        messages.fail_with(problems, result)
    return delivery


def _require_all_pages(files: Files) -> None:
    """Raise `MissingPicturesError` for a build that reads only a part of the pages, as with `--dirty`."""
    unread = [file for file in files.documentation_pages() if file.page is not None and file.page.content is None]
    if unread:
        raise MissingPicturesError(
            f"pictures are missing, and not all pages were read, such as {unread[0].src_uri}; nothing was submitted. "
            "Build without --dirty, or use 'gptimage generate'"
        )


def _generate(plan: Plan, session: BuildSession, config: MkDocsConfig) -> RunResult:
    from mkdocs_gptimage.generate.run import run_plan  # noqa: PLC0415 - only when something is missing

    if session.mode.has_several_builds:
        _generate_for_all_builds(session, config)
        snapshot = session.renderer.snapshot
        snapshot.forget()
        plan = make_plan(session.renderer.collector.catalog, snapshot, session.settings)
    return run_plan(plan, _workspace(session))


def _generate_for_all_builds(session: BuildSession, config: MkDocsConfig) -> None:
    """Read the pages of all languages before the first picture is paid for, and make what they miss together."""
    from mkdocs_gptimage.generate.run import run_plan  # noqa: PLC0415 - only when something is missing
    from mkdocs_gptimage.hosts.mkdocs.site import read_site  # noqa: PLC0415 - as above

    site = read_site(config.config_file_path or "mkdocs.yml")
    site.catalog.require_valid()
    plan = make_plan(site.catalog, site.snapshot, session.settings)
    messages.require(run_plan(plan, _workspace(session)))


def _workspace(session: BuildSession) -> Workspace:
    from mkdocs_gptimage.generate.workspace import Workspace  # noqa: PLC0415 - only when something is missing

    return Workspace(session.settings, session.store, os.environ, log)


def _placeholders(
    plan: Plan, session: BuildSession, config: MkDocsConfig, server: DevelopmentServer | None
) -> PlaceholderContext:
    """Return what the cards of missing pictures say and offer."""
    if server is None:
        return PlaceholderContext(hindrance=f"no {session.settings.api.key_env}" if session.mode.lacks_key else "")
    # A hook may build another configuration, and some plugins build one for each language.
    part = f"{config.config_file_path} {config.theme.get('language') or config.theme.get('locale')}"
    return server.placeholders(part, session.renderer, plan, session.settings, _made_unasked(plan, session))


def _made_unasked(plan: Plan, session: BuildSession) -> list[Digest]:
    """The missing pictures that a development server makes without being asked: not those of drafts.

    None while a block has problems.
    """
    is_valid = not session.renderer.collector.catalog.problems
    missing = plan.only(State.MISSING) if session.mode.on_missing == "generate" and is_valid else []
    return [row.digest for row in missing if any(use.source.name not in session.drafts for use in row.picture.uses)]


def add_files(delivery: Delivery, session: BuildSession, config: MkDocsConfig, files: Files) -> None:
    """Add the pictures' files to the site, with their style sheet, which a site without pictures does not load."""
    stylesheet = f"{session.settings.assets}/{STYLESHEET.name}"
    if not delivery.files:
        if stylesheet in config.extra_css:
            config.extra_css.remove(stylesheet)
        return
    style = File.generated(config, stylesheet, abs_src_path=os.fspath(STYLESHEET))
    files.append(style)
    for path, name in delivery.files:
        files.append(LinkedFile.beside(style, f"{session.settings.assets}/{name}", path))


def add_server_files(server: DevelopmentServer, session: BuildSession, config: MkDocsConfig, files: Files) -> None:
    """Add the script and the style sheet of the buttons to the site."""
    for asset in server.assets:
        files.append(File.generated(config, f"{session.settings.assets}/{asset.name}", abs_src_path=os.fspath(asset)))


def add_gallery(delivery: Delivery, session: BuildSession, config: MkDocsConfig, files: Files) -> None:
    """Add the gallery of the site's pictures."""
    from mkdocs_gptimage.gallery.page import PUBLISHED_NAME, site_gallery  # noqa: PLC0415 - few sites publish one

    name = f"{session.settings.assets}/{PUBLISHED_NAME}"
    addresses = {session.context(page, config).source.name: page.url for page in session.pages}
    text = site_gallery(session.renderer, delivery.shown, f"Pictures of {config.site_name}", addresses, name)
    files.append(File.generated(config, name, content=text))


def load_in_pages(paths: Iterable[Path], assets: str, config: MkDocsConfig) -> None:
    """Have all pages load style sheets and scripts that are published below the assets folder."""
    for path in paths:
        name = f"{assets}/{path.name}"
        names: list[Any] = config.extra_css if path.suffix == ".css" else config.extra_javascript
        if name not in names:
            names.append(name)
