"""The settings of a test as the environment of a process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr

from core.parent import PARENT_VARIABLE
from core.settings import Settings
from core.settings.errors import ENV_PREFIX, NESTING


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """Return the environment of a process that is to have these settings, whatever the shell of the tests sets.

    It ends with the run of tests, which `tests.conftest` names as its parent. `more` are further variables, and an
    empty one is as good as none.
    """
    ours = dict(_variables(ENV_PREFIX, settings, Settings()))
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(ENV_PREFIX) or name == PARENT_VARIABLE
    }
    return kept | {"PYTHONUNBUFFERED": "1"} | ours | more


def _variables(prefix: str, given: BaseModel, default: BaseModel) -> Iterator[tuple[str, str]]:
    for field in type(default).model_fields:
        name, value, usual = prefix + field.upper(), getattr(given, field), getattr(default, field)
        if isinstance(usual, BaseModel):
            yield from _variables(name + NESTING, value, usual)
        elif value != usual:
            yield name, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value) if isinstance(value, list) else str(value)
