"""Fast path of validation: a JSON schema compiled to a function. True is valid; False asks jsonschema for the reasons.

It spares a build without problems the import of jsonschema. It answers False for a keyword that it does not know, so
that it never accepts what jsonschema refuses. fastjsonschema falls short of both: it reads the schema as draft 07,
takes a tuple for an array, and costs each process several milliseconds of import and compilation.
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
# Keyword → the type that it applies to, and whether a value of that type fits. Values of other types always fit.
_BOUNDS: dict[str, tuple[type, Callable[[Any, Any], bool]]] = {
    "maxItems": (list, lambda value, rule: len(value) <= rule),
    "minLength": (str, lambda value, rule: len(value) >= rule),
    "maxLength": (str, lambda value, rule: len(value) <= rule),
    "pattern": (str, lambda value, rule: re.search(rule, value) is not None),
    "minimum": (int, lambda value, rule: value >= rule),
    "maximum": (int, lambda value, rule: value <= rule),
}


def acceptor(rules: Mapping[str, Any]) -> Acceptor:
    """Compile a schema into a function that returns True for a value that fits, and False if that is not certain."""
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
        kind, fits = _BOUNDS[keyword]
        return lambda value: type(value) is not kind or fits(value, rule)
    if keyword == "enum":
        # Compared with the type, because 1 equals True in Python.
        kinds, options = frozenset(map(type, rule)), frozenset((type(option), option) for option in rule)
        return lambda value: type(value) in kinds and (type(value), value) in options
    if keyword == "anyOf":
        alternatives = [acceptor(option) for option in rule]
        return lambda value: any(accepts(value) for accepts in alternatives)
    if keyword == "items":
        item = acceptor(rule)
        return lambda value: type(value) is not list or all(map(item, value))
    if keyword == "required":
        return lambda value: type(value) is not dict or value.keys() >= set(rule)
    if keyword == "additionalProperties" and rule is False:
        fields = {key: acceptor(each) for key, each in rules["properties"].items()}
        return lambda value: type(value) is not dict or all(key in fields and fields[key](value[key]) for key in value)
    return lambda _: False
