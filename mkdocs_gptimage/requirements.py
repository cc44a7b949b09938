"""What a site, and the service, ask of a block beyond its fields being right one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .references import check_together
from .spec import UnusableReferenceError

if TYPE_CHECKING:
    from .spec import Reading


def unmet(reading: Reading, *, alt: bool) -> list[str]:
    """What a valid reading lacks; with `alt`, every picture needs a text alternative."""
    problems = []
    if reading.spec is not None and alt and reading.presentation.alt is None:
        problems.append('alt: is missing, and this site requires it; `alt: ""` marks a decorative picture')
    try:
        check_together(reading.spec.references if reading.spec is not None else ())
    except UnusableReferenceError as error:
        problems.append(f"image_urls: {error}")
    return problems
