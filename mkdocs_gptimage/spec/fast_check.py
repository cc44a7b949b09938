"""The plain yes to a value, from its JSON schema, without jsonschema.

jsonschema is slow to import, and most builds have nothing to complain about. What is accepted here is valid; what is
not has to be looked at by jsonschema, which also knows all that this leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


Acceptor = Callable[[Any], bool]
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


def acceptor(rules: Mapping[str, Any]) -> Acceptor:
    """Return a function that says whether a value surely fits `rules`; its False only means that jsonschema looks."""
    names = rules.get("type", list(_TYPES))
    types = frozenset(_TYPES[name] for name in ([names] if isinstance(names, str) else names))
    checks = [_check(keyword, rule, rules) for keyword, rule in rules.items() if keyword not in _ANNOTATIONS]

    def accepts(value: Any) -> bool:
        if type(value) not in types:
            return False
        for check in checks:  # noqa: SIM110 - a generator would cost more than the checks
            if not check(value):
                return False
        return True

    return accepts


def _check(keyword: str, rule: Any, rules: Mapping[str, Any]) -> Acceptor:
    if keyword in _BOUNDS:
        about, fits = _BOUNDS[keyword]
        return lambda value: type(value) is not about or fits(value, rule)
    if keyword == "enum":
        # With the type, because Python takes 1 for True.
        kinds, options = frozenset(map(type, rule)), frozenset((type(option), option) for option in rule)
        return lambda value: type(value) in kinds and (type(value), value) in options
    if keyword == "anyOf":
        several = [acceptor(option) for option in rule]
        return lambda value: any(accepts(value) for accepts in several)
    if keyword == "items":
        item = acceptor(rule)
        return lambda value: type(value) is not list or all(map(item, value))
    if keyword == "required":
        return lambda value: type(value) is not dict or value.keys() >= set(rule)
    if keyword == "additionalProperties" and rule is False:
        fields = {key: acceptor(each) for key, each in rules["properties"].items()}
        return lambda value: type(value) is not dict or all(key in fields and fields[key](value[key]) for key in value)
    return lambda _: False
