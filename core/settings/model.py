"""The one settings model of every process.

Values come from a YAML file and from `BIGBROTR_…` variables (`__` between group and key); `core.settings` reads them,
the models only say what is valid. Everything is frozen: a process runs with the settings it started with.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from core.settings.errors import ENV_PREFIX, NESTING
from core.settings.finding import FinderSettings, SeederSettings
from core.settings.groups import (
    ConnectorSettings,
    DiscoverySettings,
    HttpSettings,
    LogSettings,
    PolicySettings,
    PositiveFloat,
    ProcessorSettings,
    RegistrySettings,
    SinkSettings,
)
from core.settings.kafka import KafkaSettings
from core.settings.monitoring import MonitorSettings, ProberSettings
from core.settings.postgres import PostgresSettings
from core.settings.serving import ApiSettings
from core.settings.types import WordList, default_data_dir


class Settings(BaseSettings):
    """All settings. Constructing one reads neither file nor environment: `core.settings.load_settings` does."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=NESTING,
        env_ignore_empty=True,
        enable_decoding=False,
    )

    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Where the embedded servers and the record of running services live",
    )
    relays: WordList = Field(
        default_factory=list, description="Relays to read, a list or words separated by spaces or commas"
    )
    drain_s: PositiveFloat = Field(10.0, description="Time, in seconds, for a service to drain when it is stopped")
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    postgres: PostgresSettings = Field(default_factory=PostgresSettings)
    connector: ConnectorSettings = Field(default_factory=ConnectorSettings)
    processor: ProcessorSettings = Field(default_factory=ProcessorSettings)
    registry: RegistrySettings = Field(default_factory=RegistrySettings)
    sink: SinkSettings = Field(default_factory=SinkSettings)
    policy: PolicySettings = Field(default_factory=PolicySettings)
    discovery: DiscoverySettings = Field(default_factory=DiscoverySettings)
    http: HttpSettings = Field(default_factory=HttpSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    seeder: SeederSettings = Field(default_factory=SeederSettings)
    finder: FinderSettings = Field(default_factory=FinderSettings)
    prober: ProberSettings = Field(default_factory=ProberSettings)
    monitor: MonitorSettings = Field(default_factory=MonitorSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave only what was handed in: what a test or a tool constructs must not depend on the environment."""
        return (init_settings,)
