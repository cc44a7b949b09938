"""What a run works with, bundled: settings, store, environment and log, and the context of its open journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from mkdocs_gptimage.journal.journal import Journal
    from mkdocs_gptimage.service.redact import Secret
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.store.store import Store


@dataclass(frozen=True)
class Workspace:
    """The folders and the surroundings of a run."""

    settings: Settings
    store: Store
    environment: Mapping[str, str] = field(repr=False)
    """Variables of the process, the API key among them."""
    log: logging.Logger


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
