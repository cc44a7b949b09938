"""The package's JSON schemas: validation of a block's fields, and documents for editors.

fastjsonschema accepts a block without problems in microseconds; jsonschema, slow to import, finds the violations of any
other, and this module words them for authors.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.text import did_you_mean, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jsonschema import ValidationError


SCHEMA_NAME = "image-spec.schema.json"
SCHEMA_FILES = {"block": SCHEMA_NAME, "specs": "specs.schema.json", "options": "options.schema.json"}
"""Name of a schema → its file in the package."""
_BLOCK = "#/$defs/block"
_TYPE_NAMES = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a mapping",
    type(None): "nothing",
}
_EXPECTED = {
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "fields, as in 'prompt: a red kite'",
}
_PATTERNS = {
    "prompt": "is empty; describe the picture",
    "image_urls": "is empty; give a URL or a path",
    "id": "is not an id; a letter comes first, then letters, digits, '-', '_', '.' or ':'",
    "class": "is not a list of classes; separate plain words by single spaces",
}
_PLAIN_KEY = re.compile(r"[\w-]{1,60}\Z")


@functools.cache
def block_schema() -> dict[str, Any]:
    """Return the schema of a block; raise `ConfigurationError` if its file cannot be read."""
    return _load(SCHEMA_NAME)


def _load(name: str) -> dict[str, Any]:
    try:
        text = importlib.resources.files("mkdocs_gptimage.schema").joinpath(name).read_text(encoding="utf-8")
        parsed: dict[str, Any] = json.loads(text)
    except (OSError, ValueError, ModuleNotFoundError) as error:
        raise_if_lacking(error, f"the schema file '{name}' cannot be read")
        raise ConfigurationError(
            f"the schema file '{name}' cannot be read ({error}); install mkdocs-gptimage again"
        ) from error
    return parsed


def editor_schema(name: str) -> dict[str, Any]:
    """Return one of `SCHEMA_FILES` as a document without references to other files; raise as `block_schema`."""
    block = block_schema()
    if name == "block":
        return block
    found: dict[str, Any] = _bundled(_load(SCHEMA_FILES[name]))
    # A nested `$id` would change the base of its references, which editors handle differently.
    embedded = {key: rule for key, rule in block.items() if key not in ("$schema", "$id")}
    return {**found, "$defs": {**found.get("$defs", {}), "block": embedded}}


def _bundled(rule: Any) -> Any:
    """Return a rule whose references to the file of a block point into the same document instead."""
    if isinstance(rule, list):
        return [_bundled(each) for each in rule]
    if not isinstance(rule, dict):
        return rule
    return {
        key: _BLOCK + value.removeprefix(SCHEMA_NAME).removeprefix("#")
        if key == "$ref" and value.startswith(SCHEMA_NAME)
        else _bundled(value)
        for key, value in rule.items()
    }


@dataclass(frozen=True)
class Violation:
    """One problem of a block's fields."""

    path: str
    """`size`, `image_urls[2]` or `dark.prompt`; empty for the block as a whole."""
    message: str
    field: str
    """The top-level field as written; empty for the block as a whole."""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def violations(fields: Any, *, partial: bool = False) -> list[Violation]:
    """Return the violations of a block's fields, one per path; with `partial`, no field is required (`defaults`)."""
    if is_valid(fields, partial=partial):
        return []
    found: dict[str, Violation] = {}
    for error in _validator(partial=partial).iter_errors(fields):
        for violation in _explain(error):
            found.setdefault(violation.path, violation)
    return sorted(found.values(), key=lambda violation: violation.path)


@functools.cache
def _partial_schema() -> dict[str, Any]:
    return {key: rule for key, rule in block_schema().items() if key != "required"}


def is_valid(fields: Any, *, partial: bool = False) -> bool:
    """Fast path of `violations`: return whether there are none."""
    # Read in any case, so that an unreadable schema file is reported while options are validated.
    required = block_schema()["required"]
    if partial and fields == {}:
        return True  # most sites have no defaults, and without a block they need no compiled schema
    import fastjsonschema  # noqa: PLC0415 - as `_compiled`

    try:
        _compiled()(fields)
    except fastjsonschema.JsonSchemaValueException:
        return False
    # fastjsonschema accepts a tuple as an array, and the options of a site may hold one (`!!python/tuple`).
    return not isinstance(fields.get("image_urls"), tuple) and (partial or all(key in fields for key in required))


@functools.cache
def _compiled() -> Callable[[Any], Any]:
    import fastjsonschema  # noqa: PLC0415 - it and the schema take some milliseconds, needed only for a block

    # One function for both cases; without error messages it compiles in a third of the time.
    return fastjsonschema.compile(_partial_schema(), use_default=False, detailed_exceptions=False)


@functools.cache
def _validator(*, partial: bool) -> Any:
    import jsonschema  # noqa: PLC0415 - slow to import, needed only for a block that has a problem

    return jsonschema.Draft202012Validator(_partial_schema() if partial else block_schema())


def _explain(error: ValidationError) -> Iterator[Violation]:
    """Turn one of jsonschema's errors into violations: one for each key that is unknown or missing, else one."""
    rule: Any = error.validator_value
    instance: Any = error.instance
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)[1:]
    field = str(error.absolute_path[0]) if path else ""
    if error.validator == "additionalProperties":
        schema: Any = error.schema
        properties = schema["properties"]
        for key in map(str, instance):
            if key not in properties:
                shown = key if _PLAIN_KEY.match(key) else quote(key)
                message = f"is not a field{did_you_mean(key, properties, otherwise='the fields are')}"
                yield Violation(_joined(path, shown), message, field or key)
    elif error.validator == "required":
        yield from (Violation(_joined(path, key), "is missing", field or key) for key in rule if key not in instance)
    else:
        yield Violation(path, _describe(error, path.rpartition(".")[2].partition("[")[0]), field)


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _describe(error: ValidationError, field: str) -> str:
    found: Any = error.instance
    rule: Any = error.validator_value
    if error.validator == "type":
        return _describe_type(found, [rule] if isinstance(rule, str) else rule, field)
    if error.validator in ("enum", "anyOf"):
        options = [str(option) for option in (rule[0]["enum"] if error.validator == "anyOf" else rule)]
        name = {"size": "a size", "resolution": "a resolution", "model": "a model"}.get(field, "one of its values")
        return f"{quote(found)} is not {name}{did_you_mean(str(found), options)}"
    bounds = {
        "maxItems": f"{len(found) if isinstance(found, list) else 0} entries, expected at most {rule}",
        "maxLength": f"{len(str(found))} characters, expected at most {rule}",
        "minLength": "is empty; write something or remove the line",
        "minimum": f"{quote(found)} is too small, expected at least {rule}",
        "maximum": f"{quote(found)} is too large, expected at most {rule}",
    }
    if error.validator == "pattern":
        message = _PATTERNS.get(field, "is not valid")
        return message if message.startswith("is empty") else f"{quote(found)} {message}"
    return bounds.get(str(error.validator), error.message)


def _describe_type(found: Any, names: list[str], field: str) -> str:
    if found is None and not field:
        return f"the block is empty; expected {_EXPECTED['object']}"
    expected = " or ".join(_EXPECTED[name] for name in names if name != "null")
    if found is None:
        return f"is empty, expected {expected}"
    message = f"{quote(found)} is {_TYPE_NAMES.get(type(found), f'a {type(found).__name__}')}, expected {expected}"
    if isinstance(found, int) and not isinstance(found, bool) and "string" in names and field == "size":
        return f"{message}; YAML 1.1 reads an unquoted 16:9 as a number: write '{found // 60}:{found % 60}', in quotes"
    if isinstance(found, (int, float, bool)) and names[0] == "string":
        return f"{message}; put it in quotes"
    if isinstance(found, str) and names == ["array"]:
        return f"{message}; write it as {quote(f'[{found}]')}"
    return message
