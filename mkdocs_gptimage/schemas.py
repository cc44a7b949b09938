"""The JSON schemas that editors complete from: of a block, of a file of specs, and of the options in mkdocs.yml."""

from __future__ import annotations

from typing import Any

from . import validation

FILES = {"block": validation.SCHEMA_NAME, "specs": "specs.schema.json", "options": "options.schema.json"}
"""Name of a schema → its file in the package."""

_BLOCK = "#/$defs/block"


def schema(name: str) -> dict[str, Any]:
    """Return one of `FILES` as one document, which refers to no other; raise `ConfigurationError` as `validation`."""
    block = validation.schema()
    if name == "block":
        return block
    found: dict[str, Any] = _inside(validation.load(FILES[name]))
    # Without a name of its own, what refers into it is the same place for every editor.
    inner = {key: rule for key, rule in block.items() if key not in ("$schema", "$id")}
    return {**found, "$defs": {**found.get("$defs", {}), "block": inner}}


def _inside(rule: Any) -> Any:
    """The same rule, with references to the file of a block as references into this document."""
    if isinstance(rule, list):
        return [_inside(each) for each in rule]
    if not isinstance(rule, dict):
        return rule
    return {
        key: _BLOCK + value.removeprefix(validation.SCHEMA_NAME).removeprefix("#")
        if key == "$ref" and value.startswith(validation.SCHEMA_NAME)
        else _inside(value)
        for key, value in rule.items()
    }
