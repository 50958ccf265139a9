"""Servers that can hold no archive, and doors that stay shut: a sentence at once, and nothing was made."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest

from core import postgres
from core.archive.connection import reading
from core.settings import KafkaSettings
from deploy.embedded.servers.postgres_binaries import installed_binaries
from tests.broker.core.unusable import ended, made, migrate, settings_for
from tests.own_postgres import OTHERS, OWNER, address, installed, own_postgres, with_tls

pytestmark = pytest.mark.broker


@pytest.mark.parametrize("version", [14, 15])
async def test_an_older_server_is_refused_before_anything_is_made(version: int) -> None:
    if version not in installed():
        pytest.skip(f"PostgreSQL {version} is not installed here")
    with own_postgres(installed()[version]) as port:
        said = await migrate(settings_for(address(port)))
        assert f"version {version}." in said
        assert f"{postgres.MIN_VERSION} or newer is needed" in said
        assert await made(address(port)) == []


async def test_a_database_of_another_encoding_is_refused_before_anything_is_made() -> None:
    with own_postgres(installed_binaries(), encoding="LATIN1") as port:
        said = await migrate(settings_for(address(port)))
        assert "encoding LATIN1" in said
        assert "CREATE DATABASE … ENCODING 'UTF8'" in said
        assert await made(address(port)) == []


async def test_a_service_ends_with_the_sentence() -> None:
    with own_postgres(installed_binaries(), encoding="LATIN1") as port:
        nowhere = KafkaSettings(bootstrap_servers="127.0.0.1:1")
        code, said = await ended(settings_for(address(port)).model_copy(update={"kafka": nowhere}), "service", "sink")
        assert code == 2, said
        assert "encoding LATIN1" in said


async def test_a_server_that_takes_no_writes_can_be_read() -> None:
    with own_postgres(installed_binaries(), default_transaction_read_only="on") as port:
        settings = settings_for(address(port))
        assert "default_transaction_read_only is on" in await migrate(settings)
        assert await made(address(port)) == []
        async with reading(settings) as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_a_standby_can_be_read() -> None:
    with own_postgres(installed_binaries(), files={"standby.signal": ""}) as port:
        settings = settings_for(address(port))
        assert "names a standby" in await migrate(settings)
        async with reading(settings) as connection:
            assert await connection.fetchval("SELECT pg_is_in_recovery()")


RULES = (
    f"host all {OWNER} 127.0.0.1/32 trust",
    "hostssl all secure 127.0.0.1/32 trust",
    "host all known,poor 127.0.0.1/32 scram-sha-256",
)


@pytest.fixture(scope="module")
def doors() -> Iterator[int]:
    """The port of a server with users that it lets in by different rules; there is none for anybody else."""
    with own_postgres(installed_binaries(), access=RULES) as port:
        asyncio.run(_users(port))
        yield port


class Secure(NamedTuple):
    """A server with TLS, and the certificate that it shows, which is for another host."""

    port: int
    certificate: Path


@pytest.fixture(scope="module")
def secure() -> Iterator[Secure]:
    """A server with the same rules and with TLS; of whatever version, as these doors come before that is asked."""
    programs = with_tls()
    if programs is None:
        pytest.skip(f"no PostgreSQL with TLS is installed here: {OTHERS} may name the folder of its programs")
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder) / "key.pem", Path(folder) / "certificate.pem"
        made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=elsewhere.example"]
        subprocess.run([*made, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
        files = {"server.key": key.read_text(), "server.crt": certificate.read_text()}
        with own_postgres(programs, access=RULES, files=files, ssl="on") as port:
            asyncio.run(_users(port))
            yield Secure(port, certificate)


async def let_in(dsn: str) -> None:
    """Fail where the address and its options do not lead to a session."""
    await (await asyncpg.connect(**postgres.connection_options(settings_for(dsn)))).close()


async def _users(port: int) -> None:
    connection = await asyncpg.connect(address(port))
    await connection.execute(
        "CREATE ROLE secure LOGIN; CREATE ROLE stranger LOGIN; CREATE ROLE known LOGIN PASSWORD 'right-4711'; "
        "CREATE ROLE poor LOGIN PASSWORD 'right-4711'; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    )
    await connection.close()


async def test_a_wrong_password_is_a_sentence(doors: int) -> None:
    said = await migrate(settings_for(address(doors, user="known", password="wrong-0815")))
    assert "password authentication failed" in said
    assert "BIGBROTR_POSTGRES__PASSWORD" in said
    assert "wrong-0815" not in said


async def test_a_database_that_is_not_there_is_a_sentence(doors: int) -> None:
    said = await migrate(settings_for(address(doors, database="nowhere")))
    assert 'database "nowhere" does not exist; make it (CREATE DATABASE' in said


async def test_a_user_without_a_rule_is_a_sentence(doors: int) -> None:
    assert "pg_hba.conf" in await migrate(settings_for(address(doors, user="stranger")))


async def test_a_server_that_demands_tls_is_a_sentence(secure: Secure) -> None:
    dsn = address(secure.port, user="secure")
    assert "add ?sslmode=require" in await migrate(settings_for(f"{dsn}?sslmode=disable"))
    await let_in(f"{dsn}?sslmode=require")
    assert "add" not in await migrate(settings_for(f"{address(secure.port, user='stranger')}?sslmode=require"))


async def test_a_certificate_of_another_host_or_authority_is_a_sentence(secure: Secure) -> None:
    other_host = f"{address(secure.port)}?sslmode=verify-full&sslrootcert={secure.certificate}"
    assert "is not trusted" in await migrate(settings_for(other_host))
    await let_in(other_host.replace("verify-full", "verify-ca"))


async def test_a_server_without_tls_that_is_demanded_is_a_sentence() -> None:
    with own_postgres(installed_binaries()) as port:
        assert "has no TLS" in await migrate(settings_for(f"{address(port)}?sslmode=require"))


async def test_a_role_that_may_make_nothing_is_a_sentence(doors: int) -> None:
    code, said = await ended(settings_for(address(doors, user="poor", password="right-4711")), "migrate")
    assert code == 1, said
    assert "permission denied for schema public" in said
    assert await made(address(doors)) == []
