from __future__ import annotations

import asyncio
import socket
import ssl

import asyncpg
import pytest
from aiokafka import errors as kafka_errors

from core import postgres
from core.kafka import clients
from core.settings import Settings, SettingsError

TRANSIENT = [
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.ConnectionFailureError(),
    asyncpg.PostgresConnectionError(),
    asyncpg.CannotConnectNowError("the database system is starting up"),
    asyncpg.AdminShutdownError(),
    asyncpg.CrashShutdownError(),
    asyncpg.TooManyConnectionsError("sorry, too many clients already"),
    asyncpg.DiskFullError("could not extend file: No space left on device"),
    asyncpg.OutOfMemoryError(),
    asyncpg.InsufficientResourcesError(),
    asyncpg.DeadlockDetectedError(),
    asyncpg.SerializationError(),
    asyncpg.StatementCompletionUnknownError(),
    asyncpg.LockNotAvailableError(),
    asyncpg.QueryCanceledError(),
    asyncpg.IdleInTransactionSessionTimeoutError(),
    asyncpg.ReadOnlySQLTransactionError(),
    asyncpg.PostgresIOError(),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.InterfaceError("cannot call Connection.execute(): the underlying connection is closed"),
    asyncpg.InterfaceError("cannot perform operation: connection is closed"),
    asyncpg.InterfaceError("cannot call Connection.execute(): connection has been released back to the pool"),
    asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
    asyncpg.ProtocolViolationError("query_wait_timeout"),
    asyncpg.ProtocolViolationError("pgbouncer cannot connect to server"),
    asyncpg.ProtocolViolationError("no more connections allowed (max_client_conn)"),
    ConnectionRefusedError(),
    ConnectionResetError(),
    BrokenPipeError(),
    socket.gaierror(-2, "Name or service not known"),
    TimeoutError(),
]
FINAL = [
    asyncpg.UniqueViolationError(),
    asyncpg.NotNullViolationError(),
    asyncpg.CheckViolationError(),
    asyncpg.CharacterNotInRepertoireError("invalid byte sequence"),
    asyncpg.UntranslatableCharacterError("\\u0000 cannot be converted to text"),
    asyncpg.NumericValueOutOfRangeError(),
    asyncpg.ProgramLimitExceededError("index row size exceeds maximum"),
    asyncpg.UndefinedTableError(),
    asyncpg.PostgresSyntaxError(),
    asyncpg.InvalidPasswordError(),
    asyncpg.InvalidCatalogNameError(),
    asyncpg.InsufficientPrivilegeError(),
    asyncpg.DataCorruptedError(),
    asyncpg.TransactionIntegrityConstraintViolationError(),
    asyncpg.ProtocolViolationError("unsupported startup parameter: search_path"),
    asyncpg.ProtocolViolationError("no such database: bigbrotr"),
    asyncpg.ProtocolViolationError('"trust" authentication failed'),
    asyncpg.InvalidSQLStatementNameError('prepared statement "__asyncpg_stmt_1__" does not exist'),
    asyncpg.DuplicatePreparedStatementError('prepared statement "__asyncpg_stmt_1__" already exists'),
    ConnectionError('PostgreSQL server at "db:5432" rejected SSL upgrade'),
    ssl.SSLCertVerificationError("certificate verify failed"),
    asyncpg.InterfaceError("pool is closed"),
    asyncpg.InterfaceError("cannot perform operation: another operation is in progress"),
    asyncpg.InternalClientError("unexpected"),
    asyncpg.DataError("invalid input for query argument"),
    ValueError(),
    asyncio.CancelledError(),
]


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: f"{type(error).__name__}")
def test_what_passes_is_waited_for(error: BaseException) -> None:
    assert postgres.is_transient(error)


@pytest.mark.parametrize("error", FINAL, ids=lambda error: f"{type(error).__name__}")
def test_what_stays_is_raised(error: BaseException) -> None:
    assert not postgres.is_transient(error)


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (kafka_errors.KafkaConnectionError(), True),
        (kafka_errors.NodeNotReadyError(), True),
        (kafka_errors.KafkaTimeoutError(), True),
        (kafka_errors.RequestTimedOutError(), True),
        (kafka_errors.UnknownTopicOrPartitionError(), True),
        (kafka_errors.LeaderNotAvailableError(), True),
        (kafka_errors.GroupCoordinatorNotAvailableError(), True),
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (kafka_errors.TopicAuthorizationFailedError(), False),
        (kafka_errors.UnrecognizedBrokerVersion(), False),
        (kafka_errors.MessageSizeTooLargeError(), False),
        (kafka_errors.ProducerFenced(), False),
        (ValueError(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_kafka_errors(error: BaseException, transient: bool) -> None:
    assert clients.is_transient(error) is transient


async def test_servers_that_are_not_set_are_named() -> None:
    with pytest.raises(SettingsError, match="BIGBROTR_POSTGRES__DSN"):
        await postgres.pool(Settings())
    with pytest.raises(SettingsError, match="BIGBROTR_KAFKA__BOOTSTRAP_SERVERS"):
        await clients.producer(Settings())
