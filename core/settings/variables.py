"""Refuses variables with our prefix that set nothing: a misspelt one would be ignored silently."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from pydantic import BaseModel

from core.settings.errors import ENV_PREFIX, FILE_SUFFIX, NESTING, SettingsError, groups, variable
from core.settings.file import CONFIG_VARIABLE
from core.settings.secrets import file_variables

_OTHERS = (
    CONFIG_VARIABLE,
    "BIGBROTR_CACHE_DIR",  # deploy.embedded.paths
    "BIGBROTR_MAVEN_REPOSITORY",  # deploy.embedded.servers.jars
    "BIGBROTR_PARENT_PID",  # core.parent
    "BIGBROTR_IMAGE",  # deploy/compose.yaml, which hands all of .env on to the services
    "BIGBROTR_SETTINGS",  # the same
)
"""Variables of ours that are no settings, with what reads them."""
_OF_TESTS = "BIGBROTR_TEST_"
_SERVICE_LINK = re.compile(
    r".*_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)
"""What Kubernetes sets in every container for each service that it knows, such as one named `bigbrotr-kafka`."""
_BARE_PORT = re.compile(r".*_PORT")
"""Of these, the one whose name a person may have meant as a setting: of Kubernetes it holds a URL (tcp://…)."""


def unknown_variable(environ: Mapping[str, str], model: type[BaseModel]) -> SettingsError | None:
    """Return the error for the first variable with our prefix that is neither a setting nor another one of ours.

    A known group with an unknown key is not told here: it is among the values that the model refuses.

    Args:
        environ: variables by name, which counts in any case.
        model: of the settings.
    """
    for name, value in environ.items():
        upper = name.upper()
        if not upper.startswith(ENV_PREFIX) or _is_of_others(upper, value):
            continue
        if (meant := _with_one_underscore(upper, model)) is not None:
            return SettingsError(f"the variable {name} sets nothing: write {meant}, with two underscores")
        if not _is_setting(upper, model):
            return SettingsError(f"the variable {name} sets nothing: {_remedy(upper, model)}")
    return None


def _is_of_others(name: str, value: str) -> bool:
    if name in _OTHERS or name.startswith(_OF_TESTS):
        return True
    if _BARE_PORT.fullmatch(name):
        return "://" in value
    return NESTING not in name and _SERVICE_LINK.fullmatch(name) is not None


def _with_one_underscore(name: str, model: type[BaseModel]) -> str | None:
    """The variable that one is meant to be, where group and key are known and joined by one underscore only."""
    for group, keys in groups(model).items():
        start = f"{ENV_PREFIX}{group}_".upper()
        key = name.removeprefix(start).lower()
        if name.startswith(start) and (key in keys or key.removesuffix(FILE_SUFFIX) in keys):
            return variable((group, key))
    return None


def _is_setting(name: str, model: type[BaseModel]) -> bool:
    """Whether a name is that of a setting or of a group; one that would be read from a file is told of as that."""
    first, nested, _ = name.removeprefix(ENV_PREFIX).lower().partition(NESTING)
    return first in groups(model) or (not nested and first.removesuffix(FILE_SUFFIX) in model.model_fields)


def _remedy(name: str, model: type[BaseModel]) -> str:
    first, nested, _ = name.removeprefix(ENV_PREFIX).lower().partition(NESTING)
    nearest = f"the nearest that is known is {_nearest(name, model)}"
    if nested and first not in model.model_fields:
        return f"there is no group {first} among {', '.join(sorted(groups(model)))}; {nearest}"
    return nearest


def _nearest(name: str, model: type[BaseModel]) -> str:
    known = [*_OTHERS, *(variable((field,)) for field in model.model_fields if field not in groups(model))]
    known += [variable((group, key)) for group, keys in groups(model).items() for key in sorted(keys)]
    known += file_variables(model)
    rest = {each.removeprefix(ENV_PREFIX): each for each in known}  # the prefix is no likeness
    return rest[difflib.get_close_matches(name.removeprefix(ENV_PREFIX), rest, n=1, cutoff=0.0)[0]]
