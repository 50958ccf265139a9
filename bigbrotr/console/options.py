"""The global options of the command line, and the settings that come from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from core.settings import Settings


@dataclass(frozen=True)
class Options:
    """What stood before the subcommand: `--config` and `--data-dir`, each None where it was not given."""

    config: Path | None = None
    data_dir: Path | None = None

    def settings(self, part: str | None = None) -> Settings:
        """Load the settings; `part` names a subdirectory of the data directory for a command that keeps apart.

        Raises:
            SettingsError: a setting is wrong; the message names the key.
        """
        from core.settings import load_settings  # noqa: PLC0415 - `--help` must not wait for pydantic

        settings = load_settings(self.config, data_dir=self.data_dir)
        data_dir = settings.data_dir.expanduser().absolute()
        return settings.model_copy(update={"data_dir": data_dir / part if part else data_dir})


pass_options = click.make_pass_decorator(Options, ensure=True)
