"""Settings errors as sentences: the key, its variable, the shape of the value, and what is valid.

Values of strings are never repeated: the one that is wrong may be a password in the wrong place.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

ENV_PREFIX = "BIGBROTR_"
NESTING = "__"
FILE_SUFFIX = "_file"  # ends the name of a variable that names a file with a secret


class SettingsError(ValueError):
    """The settings cannot be used; the message names the key and the remedy. The command line exits with code 2."""


def shape(value: object) -> str:
    """Describe a value without giving a string away: `the integer 12`, `text of 7 characters`, `a list of 2`."""
    match value:
        case None:
            return "no value"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}" if len(str(value)) <= 20 else "a long number"  # noqa: PLR2004 - readable at a glance
        case str() | bytes():
            return f"text of {len(value)} characters" if value else "empty text"
        case Mapping():
            return f"a mapping of {len(value)}"
        case list() | tuple() | set():
            return f"a list of {len(value)}"
        case _:
            return f"a {type(value).__name__}"


def key_and_variable(path: Iterable[str | int]) -> str:
    """Name a setting in both of its forms: `kafka.partitions (BIGBROTR_KAFKA__PARTITIONS)`."""
    parts = list(path)
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
    # Only group and key have a variable; what is deeper (a filter's field) is part of that variable's JSON.
    return f"{key} ({variable(part for part in parts[:2] if isinstance(part, str))})"


def variable(path: Iterable[str]) -> str:
    """Name the variable of a setting: `BIGBROTR_KAFKA__PARTITIONS`."""
    return ENV_PREFIX + NESTING.join(path).upper()


def explain(error: ValidationError, model: type[BaseModel]) -> SettingsError:
    """Turn pydantic's errors into one SettingsError, a line for each."""
    lines = [_sentence(detail, model) for detail in error.errors(include_url=False)]
    return SettingsError("\n".join(lines))


def _sentence(detail: ErrorDetails, model: type[BaseModel]) -> str:
    path = detail["loc"]
    if detail["type"] == "extra_forbidden":
        return f"{key_and_variable(path)} is not a setting: {_suggestion(path, model)}"
    message = detail["msg"]
    if detail["type"] == "value_error":
        message = message.removeprefix("Value error, ")
    elif detail["type"] == "model_type":
        message = "should be a mapping of its keys"
    elif message.startswith(("Input ", "String ", "List ", "Value ")):
        message = message.split(" ", 1)[1]
    return f"{key_and_variable(path)}, {shape(detail['input'])}, {message}"


def _suggestion(path: tuple[str | int, ...], model: type[BaseModel]) -> str:
    parent = path[:-1]
    known = _known(parent, model)
    close = difflib.get_close_matches(str(path[-1]), known, n=1)
    if close:
        return f"did you mean {key_and_variable([*parent, *close])}?"
    return f"known here: {', '.join(known)}"


def _known(path: Iterable[str | int], model: type[BaseModel]) -> list[str]:
    """Name the keys of the model that stands at a path, where a number is a place in a list of models."""
    for part in path:
        if isinstance(part, str):
            annotation = model.model_fields[part].annotation
            inner = (each for each in (annotation, *get_args(annotation)) if isinstance(each, type))
            model = next(each for each in inner if issubclass(each, BaseModel))
    return sorted(model.model_fields)


def groups(model: type[BaseModel]) -> dict[str, set[str]]:
    """Name the groups of the settings and the keys in each."""
    return {
        name: set(field.annotation.model_fields)
        for name, field in model.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
