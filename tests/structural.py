"""What is wrong with a value by a structural schema: strictly, where an API server prunes.

An API server drops a field that a CustomResourceDefinition does not have, and says nothing unless
it is asked to. Here it is a fault. The rest is as in apiextensions.k8s.io/v1.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

Schema = dict[str, Any]


def changed(value: Any, path: str, by: Any = None) -> Any:
    """A copy with another value at a path such as ``spec/triggers/0/type``; None takes it away."""
    whole = json.loads(json.dumps(value))  # unlike a deep copy, without parts in common
    *above, last = (int(step) if step.isdigit() else step for step in path.split("/"))
    at = whole
    for step in above:
        at = at[step]
    if by is None:
        del at[last]
    else:
        at[last] = by
    return whole


_TYPES: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}
_RANGES = {"int32": 2**31, "int64": 2**63}
_INT_OR_STRING = "x-kubernetes-int-or-string"
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_UNDERSTOOD = {
    "additionalProperties",
    "anyOf",  # only ever says again what int-or-string says
    "default",
    "enum",
    "format",
    "items",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "nullable",
    "pattern",
    "properties",
    "required",
    "type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
    _INT_OR_STRING,
    _PRESERVE,
}


class UnknownWordError(ValueError):
    """A schema says something that is not checked here, so nothing can be said to hold by it."""


# The rules in CEL that a definition may hold, said in Python: KEDA from 2.20 on.
_RULES: dict[str, Callable[[Any], bool]] = {
    "!has(self.minReplicaCount) || self.minReplicaCount <= "
    "(has(self.maxReplicaCount) ? self.maxReplicaCount : 100)": lambda spec: (
        "minReplicaCount" not in spec or spec["minReplicaCount"] <= spec.get("maxReplicaCount", 100)
    )
}


def faults(value: Any, schema: Schema, path: str = "") -> Iterator[str]:
    """Yield what is wrong, each with its path.

    Raises:
        UnknownWordError: The schema has a word or a rule that is not understood here.
    """
    unknown = schema.keys() - _UNDERSTOOD
    if unknown or ("anyOf" in schema and _INT_OR_STRING not in schema):
        raise UnknownWordError(f"{path}: {sorted(unknown) or 'anyOf'}")
    if value is None and schema.get("nullable"):
        return
    if not _has_type(value, schema):
        yield f"{path}: {value!r} is no {schema.get('type', 'integer or string')}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is none of {schema['enum']}"
    found = [*_CHECKS[type(value)](value, schema, path)]
    yield from found
    for rule in schema.get("x-kubernetes-validations", ()):
        if rule["rule"] not in _RULES:
            raise UnknownWordError(f"{path}: {rule['rule']}")
        # A rule is asked only of what is right otherwise.
        if not found and not _RULES[rule["rule"]](value):
            yield f"{path}: {rule['message']}"


def _has_type(value: Any, schema: Schema) -> bool:
    if schema.get(_INT_OR_STRING):
        return isinstance(value, int | str) and not isinstance(value, bool)
    if "type" not in schema:
        return bool(schema.get(_PRESERVE))
    expected = _TYPES[schema["type"]]
    return isinstance(value, expected) and (bool in expected or not isinstance(value, bool))


def _object_faults(value: dict[str, Any], schema: Schema, path: str) -> Iterator[str]:
    fields: dict[str, Schema] = schema.get("properties", {})
    for name in schema.get("required", ()):
        # A default is filled in before the object is looked at.
        if name not in value and "default" not in fields.get(name, {}):
            yield f"{path}.{name}: is required"
    others = schema.get("additionalProperties")
    for name, each in value.items():
        if name in fields:
            yield from faults(each, fields[name], f"{path}.{name}")
        elif isinstance(others, dict):
            yield from faults(each, others, f"{path}.{name}")
        elif not (others or schema.get(_PRESERVE)):
            yield f"{path}.{name}: there is no such field"


def _list_faults(value: list[Any], schema: Schema, path: str) -> Iterator[str]:
    if len(value) < schema.get("minItems", 0):
        yield f"{path}: has {len(value)} items, not {schema['minItems']} or more"
    for index, each in enumerate(value):
        yield from faults(each, schema["items"], f"{path}[{index}]")
    if schema.get("x-kubernetes-list-type") == "map":
        keys = schema["x-kubernetes-list-map-keys"]
        marks = [tuple(str(each.get(key)) for key in keys) for each in value]
    elif schema.get("x-kubernetes-list-type") == "set":
        marks = [(str(each),) for each in value]
    else:
        return
    for mark in sorted({mark for mark in marks if marks.count(mark) > 1}):
        yield f"{path}: has {'/'.join(mark)} more than once"


def _text_faults(value: str, schema: Schema, path: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{path}: {value!r} is too short or too long"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{path}: {value!r} does not match {schema['pattern']}"


def _number_faults(value: float, schema: Schema, path: str) -> Iterator[str]:
    reach = _RANGES.get(schema.get("format", ""))
    if reach and not -reach <= value < reach:
        yield f"{path}: {value} does not fit in {schema['format']}"
    if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{path}: {value} is out of bounds"


def _nothing(value: bool, schema: Schema, path: str) -> Iterator[str]:
    return iter(())


_CHECKS: dict[type, Callable[[Any, Schema, str], Iterator[str]]] = {
    bool: _nothing,
    dict: _object_faults,
    float: _number_faults,
    int: _number_faults,
    list: _list_faults,
    str: _text_faults,
}
