"""Read the settings: variables win over the YAML file, the file over the defaults; anything unknown is an error.

`load_settings` is the only place where a process looks at its environment for settings. The models are in
`core.settings.model`, `core.settings.groups`, `core.settings.kafka` and `core.settings.postgres`; they are handed on
here, so that others import one module.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource

from core.settings.errors import SettingsError, explain
from core.settings.file import CONFIG_VARIABLE, read_settings_file
from core.settings.groups import (
    ConnectorSettings,
    DiscoverySettings,
    FinderSettings,
    FinderSource,
    HttpSettings,
    LogSettings,
    PolicySettings,
    ProcessorSettings,
    RegistrySettings,
    SeederSettings,
    SinkSettings,
)
from core.settings.kafka import KafkaSettings
from core.settings.model import Settings
from core.settings.postgres import PostgresSettings
from core.settings.secrets import with_secrets
from core.settings.variables import unknown_variable

__all__ = [
    "CONFIG_VARIABLE",
    "ConnectorSettings",
    "DiscoverySettings",
    "FinderSettings",
    "FinderSource",
    "HttpSettings",
    "KafkaSettings",
    "LogSettings",
    "PolicySettings",
    "PostgresSettings",
    "ProcessorSettings",
    "RegistrySettings",
    "SeederSettings",
    "Settings",
    "SettingsError",
    "SinkSettings",
    "load_settings",
]


def load_settings(config: Path | None = None, *, data_dir: Path | None = None) -> Settings:
    """Read the settings of this process: variables > YAML file > defaults.

    Args:
        config: the YAML file; None: the one that `BIGBROTR_CONFIG` names, if any.
        data_dir: given on a command line, so it wins over everything.

    Raises:
        SettingsError: a sentence for each wrong key, naming it, the shape of its value and the remedy.
    """
    unknown = unknown_variable(os.environ, Settings)
    if unknown is not None:
        raise unknown
    if config is None and os.environ.get(CONFIG_VARIABLE):
        config = Path(os.environ[CONFIG_VARIABLE])
    values = read_settings_file(config) if config is not None else {}
    values = _overlaid(values, with_secrets(EnvSettingsSource(Settings)(), os.environ, Settings))
    if data_dir is not None:
        values["data_dir"] = data_dir
    try:
        return Settings(**values)
    except ValidationError as error:
        raise explain(error, Settings) from None


def _overlaid(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Lay the groups of `over` upon those of `base`, key by key; a list or a single value replaces what was there."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = {**below, **value} if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
