"""JSON Schemas of pydantic as an OpenAPI document has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

SCHEMAS = "#/components/schemas/"
"""Where the document has them."""

_REFERENCE = re.compile(rf'"\$ref":"{SCHEMAS}([^"]+)"')
_ATTRIBUTE = re.compile(r"^    (\w+): (.+)$", re.MULTILINE)
_BOUNDS = {"ge": "minimum", "le": "maximum"}
"""Pydantic leaves its own names where a field has bounds and a validator before them."""


def present(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a parameter that is given: leaving it out is not a value."""
    found = {_BOUNDS.get(name, name): value for name, value in schema.items() if name not in {"default", "title"}}
    kinds = [each for each in found.get("anyOf", []) if each.get("type") != "null"]
    if len(kinds) == 1 and len(found.get("anyOf", [])) > 1:
        del found["anyOf"]
        found = present({**kinds[0], **found})
    if found.get("type") == "array":
        found |= {"minItems": 1, "items": present(found["items"])}
    return found


def with_attributes(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a class by its docstring: what that says of attributes is the description of properties."""
    text, _, attributes = schema.get("description", "").partition("\n\nAttributes:\n")
    if not attributes:
        return dict(schema)
    said = dict(_ATTRIBUTE.findall(attributes.replace("\n        ", " ")))
    properties = {
        name: {**each, "description": said[name]} if name in said else each
        for name, each in schema["properties"].items()
    }
    return {**schema, "description": text, "properties": properties}


def reachable(schemas: Mapping[str, Any], described: object) -> dict[str, Any]:
    """The schemas that something refers to, directly or by others."""
    found: dict[str, Any] = {}
    waiting = _references(described)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = schemas[name]
            waiting |= _references(schemas[name])
    return {name: found[name] for name in sorted(found)}


def _references(value: object) -> set[str]:
    return set(_REFERENCE.findall(orjson.dumps(value).decode()))
