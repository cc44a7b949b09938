"""The plain yes to a value, from its JSON schema, without jsonschema.

jsonschema is slow to import, and most builds have nothing to complain about. What is accepted here is valid; what is
not has to be looked at by jsonschema, which also knows all that this leaves out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ANNOTATIONS = frozenset({"$schema", "$id", "title", "description", "examples", "default", "properties", "type"})
_TYPES: dict[str, type] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}
# Keyword → the type that it is about, and whether a value of that type fits. Other types always fit.
_BOUNDS: dict[str, tuple[type, Callable[[Any, Any], bool]]] = {
    "maxItems": (list, lambda value, rule: len(value) <= rule),
    "minLength": (str, lambda value, rule: len(value) >= rule),
    "maxLength": (str, lambda value, rule: len(value) <= rule),
    "pattern": (str, lambda value, rule: re.search(rule, value) is not None),
    "minimum": (int, lambda value, rule: value >= rule),
    "maximum": (int, lambda value, rule: value <= rule),
}


def accepts(rules: Mapping[str, Any], value: Any) -> bool:
    """Whether `value` surely fits `rules`; False only means that jsonschema has to look."""
    names = rules.get("type", ())
    if names and not any(type(value) is _TYPES[name] for name in ([names] if isinstance(names, str) else names)):
        return False
    return all(_fits(keyword, rule, rules, value) for keyword, rule in rules.items() if keyword not in _ANNOTATIONS)


def _fits(keyword: str, rule: Any, rules: Mapping[str, Any], value: Any) -> bool:
    if keyword in _BOUNDS:
        about, fits = _BOUNDS[keyword]
        return type(value) is not about or fits(value, rule)
    if keyword == "enum":
        return any(type(value) is type(option) and value == option for option in rule)
    if keyword == "anyOf":
        return any(accepts(option, value) for option in rule)
    if keyword == "items":
        return not isinstance(value, list) or all(accepts(rule, item) for item in value)
    if keyword == "required":
        return isinstance(value, dict) and all(key in value for key in rule)
    if keyword == "additionalProperties" and rule is False and isinstance(value, dict):
        known = rules["properties"]
        return all(key in known and accepts(known[key], item) for key, item in value.items())
    return False
