"""What a run works with, bundled: settings, store, environment and log, and the context of its open journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging
    from pathlib import Path

    from mkdocs_gptimage.journal.journal import Journal
    from mkdocs_gptimage.plan.other_stores import FoundSubmission
    from mkdocs_gptimage.service.redact import Secret
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.store.store import Store


Objection = Callable[[Mapping[str, Any]], str]
"""Says why a request must not be submitted, asked once it is claimed; empty when it may."""


def no_objection(_: Mapping[str, Any]) -> str:
    """Have everything that is claimed submitted."""
    return ""


def nothing_elsewhere(_: Digest) -> FoundSubmission | Path | None:
    """Take the site's store for the only one."""
    return None


@dataclass(frozen=True)
class Workspace:
    """The folders and the surroundings of a run."""

    settings: Settings
    store: Store
    environment: Mapping[str, str] = field(repr=False)
    """Variables of the process, the API key among them."""
    log: logging.Logger
    objection: Objection = no_objection


@dataclass(frozen=True)
class RunContext:
    """What the parts of one run share while its journal is open."""

    settings: Settings
    store: Store
    journal: Journal
    base_url: str
    """Where the service listens: the address of the settings, or the emulator's."""
    gateway: str
    """The service's name in records: its host, or `emulator`."""
    key: Secret
    objection: Objection = no_objection
    elsewhere: Callable[[Digest], FoundSubmission | Path | None] = nothing_elsewhere
    """Says what other stores of the project have of a picture, as `plan.other_stores.watch_other_stores`."""
