"""Where a setting has its value from, for errors that say what to correct."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.settings.errors import FILE_SUFFIX, SettingsError, variable
from core.settings.file import CONFIG_VARIABLE, read_settings_file


def given_by(path: tuple[str, str], config: Path | None, environ: Mapping[str, str]) -> str | None:
    """Name what sets a setting: a variable, or its key and the settings file; None where neither does.

    Args:
        path: group and key.
        config: the settings file of the command line, if one was named there.
        environ: variables by name.
    """
    name = variable(path)
    for given, value in environ.items():
        if value and given.upper() in (name, name + FILE_SUFFIX.upper()):
            return f"the variable {given}"
    file = config or environ.get(CONFIG_VARIABLE)
    if not file:
        return None
    try:
        group = read_settings_file(Path(file)).get(path[0])
    except SettingsError:  # it has changed since
        return None
    is_given = isinstance(group, dict) and path[1] in group
    return f"{'.'.join(path)} in {file}" if is_given else None
