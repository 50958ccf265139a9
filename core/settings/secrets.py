"""Secrets from files: `BIGBROTR_<GROUP>__<KEY>_FILE` names a file that holds the value of a secret setting.

That is how container engines pass secrets: variables are visible to all users that may inspect the container.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

from core.settings.errors import (
    ENV_PREFIX,
    FILE_SUFFIX,
    SettingsError,
    groups,
    key_and_variable,
    shape,
    variable,
)

_NEARLY = 0.85  # one letter too many or too few, as in PASSWRD_FILE
_MAX_BYTES = 64 * 1024  # no secret is near it; a path that names a device or a dump by mistake is not read to its end


def with_secrets(given: Mapping[str, Any], names: Iterable[str], model: type[BaseModel]) -> dict[str, Any]:
    """Read the files that variables name, and put what they hold in the place of their names.

    Args:
        given: the values of variables, by group and key, as pydantic-settings gives them.
        names: of all variables.
        model: of the settings.

    Raises:
        SettingsError: a sentence for each such variable that cannot be used. What a file holds is never repeated, and
            nor is what may be a secret in the place of a path.
    """
    errors = [_no_secret((name,), model) for name in _single(names, model)]
    filled = dict(given)
    for group, keys in groups(model).items():
        values = filled.get(group)
        if not isinstance(values, Mapping):
            continue
        filled[group] = found = dict(values)
        for key in [key for key in values if key not in keys]:
            try:
                _read_into(found, group, key, model)
            except SettingsError as error:
                errors.append(str(error))
    if errors:
        raise SettingsError("\n".join(errors))
    return filled


def file_variables(model: type[BaseModel]) -> list[str]:
    """Name every variable that names a file with a secret."""
    return [variable((group, key + FILE_SUFFIX)) for group in groups(model) for key in _secrets(model, group)]


def _single(names: Iterable[str], model: type[BaseModel]) -> Iterator[str]:
    """Give the settings outside of groups that a variable would have read from a file: none of them is a secret."""
    for name in names:
        stem = name.upper().removeprefix(ENV_PREFIX).lower().removesuffix(FILE_SUFFIX)
        if stem in model.model_fields and name.upper() == variable((stem + FILE_SUFFIX,)):
            yield stem


def _read_into(values: dict[str, Any], group: str, key: str, model: type[BaseModel]) -> None:
    """Replace the file's name under `key` by the secret; leave alone what means something else."""
    secrets = _secrets(model, group)
    stem = key.removesuffix(FILE_SUFFIX)
    if stem == key or stem not in groups(model)[group]:
        close = difflib.get_close_matches(key, [secret + FILE_SUFFIX for secret in secrets], n=1, cutoff=_NEARLY)
        if close:
            meant = variable((group, close[0]))
            raise SettingsError(f"the variable {variable((group, key))} sets nothing: did you mean {meant}?")
        return
    if stem not in secrets:
        raise SettingsError(_no_secret((group, stem), model))
    if stem in values:
        raise SettingsError(
            f"the variables {variable((group, stem))} and {variable((group, key))} are both set: leave one of them out"
        )
    values[stem] = _text(variable((group, key)), values.pop(key))


def _no_secret(path: tuple[str, ...], model: type[BaseModel]) -> str:
    return (
        f"the variable {variable((*path[:-1], path[-1] + FILE_SUFFIX))} sets nothing: {key_and_variable(path)} is no "
        f"secret; files are read for {', '.join(file_variables(model))}"
    )


def _text(name: str, value: object) -> str:
    """Read the secret in a file, without what editors and `echo` add: a byte order mark, and line ends at its end."""
    if not isinstance(value, str):  # a third level of names, as in …__DSN_FILE__PATH
        raise SettingsError(f"the variable {name}, {shape(value)}, should be the path of a file")
    path = Path(value)
    # A secret in the place of a path must not be repeated; what begins with a slash is a path, or was meant as one.
    shown = f"the file {path}" if path.is_absolute() else f"the file that it names, {shape(value)}, in {Path.cwd()},"
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
        text = raw.decode("utf-8-sig").rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        remedy = "name a file that holds the secret as text, and that the user of this process may read"
        raise SettingsError(f"the variable {name}: {shown} cannot be read, {reason}: {remedy}") from None
    if len(raw) > _MAX_BYTES:
        raise SettingsError(f"the variable {name}: {shown} is longer than {_MAX_BYTES} bytes: it cannot be a secret")
    if not text:
        raise SettingsError(f"the variable {name}: {shown} is empty: write the secret into it, or unset the variable")
    return text


def _secrets(model: type[BaseModel], group: str) -> list[str]:
    annotation = model.model_fields[group].annotation
    assert isinstance(annotation, type)
    assert issubclass(annotation, BaseModel)
    return [key for key, field in annotation.model_fields.items() if _is_secret(field.annotation)]


def _is_secret(annotation: Any) -> bool:
    """Return whether a field takes a secret, alone or as one of several types, with checks or without."""
    return annotation is SecretStr or any(_is_secret(part) for part in get_args(annotation))
