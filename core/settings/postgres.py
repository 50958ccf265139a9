"""The settings of PostgreSQL: where it is, which schema is the archive, and the passwords of its roles."""

from __future__ import annotations

import warnings

from pydantic import Field, model_validator

from core.settings.groups import Group, PositiveFloat
from core.settings.types import Password, PostgresDsn, SchemaName, holds_password

# `schema` is the common name; the method of pydantic's that it covers is deprecated, and has no callers.
warnings.filterwarnings("ignore", message='Field name "schema" in "PostgresSettings" shadows')


class PostgresSettings(Group):
    """How to reach PostgreSQL."""

    dsn: PostgresDsn | None = Field(
        None, description="`postgresql://user:password@host:port/database`; unset: the embedded PostgreSQL"
    )
    password: Password | None = Field(None, description="Password for `postgres.dsn`, where that holds none")
    owner_password: Password | None = Field(
        None, description="Password that `bigbrotr migrate` gives the role `bigbrotr_owner`; unset: left as it is"
    )
    writer_password: Password | None = Field(None, description="The same for `bigbrotr_writer`, whom the sink is")
    reader_password: Password | None = Field(None, description="The same for `bigbrotr_reader`, who changes nothing")
    schema: SchemaName = Field(  # type: ignore[assignment]  # pydantic's deprecated method of that name
        "public", description="Schema of the archive in that database; `bigbrotr migrate` makes it"
    )
    pool_min: int = Field(1, ge=0, le=100, description="Connections that a process keeps open")
    pool_max: int = Field(4, ge=1, le=100, description="Connections that a process opens at most")
    command_timeout_s: PositiveFloat = Field(
        120.0, description="A statement that takes longer, in seconds, is cancelled, and half of its work is tried"
    )

    @model_validator(mode="after")
    def _ordered(self) -> PostgresSettings:
        if self.pool_min > self.pool_max:
            raise ValueError(f"has pool_min {self.pool_min} above pool_max {self.pool_max}")
        return self

    @model_validator(mode="after")
    def _one_password(self) -> PostgresSettings:
        if self.password is not None and self.dsn is not None and holds_password(self.dsn.get_secret_value()):
            raise ValueError(
                "has a password in postgres.dsn (BIGBROTR_POSTGRES__DSN) and another in postgres.password "
                "(BIGBROTR_POSTGRES__PASSWORD): leave one of them out"
            )
        return self
