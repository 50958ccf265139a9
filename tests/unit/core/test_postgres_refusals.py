"""What PostgreSQL refuses for good is told with its remedy, and nothing else is called a refusal."""

from __future__ import annotations

import ssl

import asyncpg
import pytest

from core import postgres


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError("certificate verify failed")
    error.verify_message = "certificate has expired"
    return error


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (asyncpg.InvalidPasswordError("password authentication failed"), "BIGBROTR_POSTGRES__PASSWORD"),
        (
            asyncpg.InvalidAuthorizationSpecificationError("no pg_hba.conf entry for host, no encryption"),
            "sslmode=require",
        ),
        (asyncpg.InvalidAuthorizationSpecificationError('role "me" is not permitted to log in'), "pg_hba.conf"),
        (asyncpg.InvalidCatalogNameError('database "x" does not exist'), "CREATE DATABASE"),
        (asyncpg.InsufficientPrivilegeError("permission denied for schema public"), "bigbrotr migrate"),
        (asyncpg.ProtocolViolationError("unsupported startup parameter: search_path"), "the PostgreSQL server itself"),
        (asyncpg.InvalidSQLStatementNameError('prepared statement "s" does not exist'), "the PostgreSQL server itself"),
        (asyncpg.DuplicatePreparedStatementError('prepared statement "s" already exists'), "PgBouncer"),
        (asyncpg.ProtocolViolationError("no such database: x"), "see postgres.dsn"),
        (asyncpg.ClientConfigurationError("`sslmode` parameter must be one of: disable, allow"), "postgres.dsn"),
        (untrusted(), "certificate has expired; name in postgres.dsn"),
        (ConnectionError('PostgreSQL server at "db:5432" rejected SSL upgrade'), "has no TLS"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_only_a_person_can_correct_has_a_remedy(error: Exception, remedy: str) -> None:
    sentence = postgres.refusal(error)
    assert sentence is not None
    assert remedy in sentence
    assert "\n" not in sentence
    assert not postgres.is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.ProtocolViolationError("query_wait_timeout"),
        asyncpg.UndefinedTableError("relation does not exist"),
        asyncpg.InterfaceError("connection is closed"),
        ConnectionRefusedError(),
        ValueError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_another_error_is_no_refusal(error: Exception) -> None:
    assert postgres.refusal(error) is None
