"""Reads the YAML settings file into plain values, refusing what YAML would lose silently."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from core.settings.errors import SettingsError, shape

CONFIG_VARIABLE = "BIGBROTR_CONFIG"


class _StrictLoader(yaml.SafeLoader):
    """PyYAML silently keeps the last of two equal keys; here that is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep)


def read_settings_file(path: Path) -> dict[str, Any]:
    """Read the file's mapping of groups.

    Keys without a value (`kafka:` with every line below commented out) count as not given.

    Raises:
        SettingsError: the file cannot be read, is not YAML (with line and column, never with its text, which may hold
            a password), or is not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(f"the settings file {path} cannot be read: {reason}") from None
    try:
        loaded = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.YAMLError as error:
        raise SettingsError(f"the settings file {path} is not valid YAML{_place(error)}") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise SettingsError(f"the settings file {path} holds {shape(loaded)}: a mapping of groups to keys is needed")
    return {str(key): value for key, value in _given(loaded).items()}


def _place(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return ""
    mark = error.problem_mark
    return f" at line {mark.line + 1}, column {mark.column + 1}: {error.problem}"


def _given(values: dict[Any, Any]) -> dict[Any, Any]:
    return {
        key: _given(value) if isinstance(value, dict) else value for key, value in values.items() if value is not None
    }
