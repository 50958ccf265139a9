"""The one list of transient errors, which are retried, and sentences for those that only a person can correct."""

from __future__ import annotations

from ssl import SSLCertVerificationError

import asyncpg

from core.settings.errors import SettingsError

# SQLSTATE classes (PostgreSQL manual, appendix A) whose errors pass without anybody changing our data or statements:
# 08 connection exception; 53 insufficient resources (disk full, out of memory, too many connections).
_CLASSES = frozenset({"08", "53"})
_STATES = frozenset(
    {
        "25006",  # read_only_sql_transaction: a fail-over is going on, or the disk guard made the server read-only
        "25P03",  # idle_in_transaction_session_timeout: the connection was ended while we were paused
        "25P04",  # transaction_timeout
        "40001",  # serialization_failure
        "40003",  # statement_completion_unknown
        "40P01",  # deadlock_detected
        "55P03",  # lock_not_available: lock_timeout
        "57014",  # query_canceled: statement_timeout, or an operator
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now: starting up, shutting down or recovering
        "57P05",  # idle_session_timeout
        "58000",  # system_error
        "58030",  # io_error
    }
)
# Of these, those that say that a statement or a transaction took too long.
_LATE_STATES = frozenset({"57014", "25P04"})
# PgBouncer gives 08P01 to all that it refuses, also to what passes (no server answers, no place is free): only texts
# tell what does not.
_NO_SETTINGS = "unsupported startup parameter"
_NOT_LET_IN = ("no such database", "no such user", "does not exist", "authentication failed")
# asyncpg has no class of its own for this (connect_utils).
_NO_TLS = "rejected SSL upgrade"

DSN = "postgres.dsn (BIGBROTR_POSTGRES__DSN)"
PASSWORD = "postgres.password (BIGBROTR_POSTGRES__PASSWORD)"  # noqa: S105 - the name of the setting
POOLED = (
    f"{DSN} leads to a connection pooler that does not keep a session for one client, as PgBouncer with "
    "pool_mode=transaction, or that does not pass on its search_path: name the address of the PostgreSQL server itself"
)


class UnusableServerError(SettingsError):
    """The server that the settings name cannot be used as it is, or does not let us in; the message says the remedy."""

    def told_of(self, address: str, password: str) -> str:
        """Return the message where the address, and its password, come from elsewhere than the settings."""
        return str(self).replace(DSN, address).replace(PASSWORD, password)


def is_transient(error: BaseException) -> bool:
    """Return whether the same work may succeed later without a change by us: connection, resources, locks, shutdown."""
    if isinstance(error, asyncpg.PostgresError):
        if _breaks_sessions(error) or _is_refused_by_pooler(error):
            return False
        state = str(getattr(error, "sqlstate", "") or "")
        return state[:2] in _CLASSES or state in _STATES
    if isinstance(error, asyncpg.InterfaceError):
        # asyncpg has no class of its own for work on a connection that was lost meanwhile, only these wordings: a pool
        # takes a lost connection back while its user still holds it.
        text = str(error)
        return "connection is closed" in text or "connection has been released back to the pool" in text
    if isinstance(error, asyncpg.InternalClientError):
        # A server that ends an idle connection leaves it in the state of an unrequested error, until the end of the
        # socket is noticed. Work that two tasks give it at once is refused with InterfaceError.
        return "cannot switch to state" in str(error)
    if isinstance(error, SSLCertVerificationError) or _has_no_tls(error):
        return False
    # TLS, DNS and sockets raise OSError, which TimeoutError is too; asyncpg's own time limits raise TimeoutError.
    return isinstance(error, OSError | TimeoutError)


def is_time_out(error: BaseException) -> bool:
    """Return whether a statement took too long, by our limit or the server's: less may succeed where it does not."""
    return isinstance(error, TimeoutError) or getattr(error, "sqlstate", None) in _LATE_STATES


def refusal(error: BaseException) -> str | None:
    """Return why PostgreSQL does not let us in and the remedy, in a sentence; None where the error is another one.

    The server's own words hold names, and never a password.
    """
    if isinstance(error, asyncpg.PostgresError):
        if _breaks_sessions(error):
            return f"{POOLED} ({error})"
        if _is_refused_by_pooler(error):
            return f"a connection pooler before PostgreSQL refuses: {error}; see {DSN} and {PASSWORD}"
        remedy = _remedy(error)
        return f"PostgreSQL refuses: {error}; {remedy}" if remedy is not None else None
    if isinstance(error, asyncpg.ClientConfigurationError):
        return f"{DSN} cannot be used: {error}"
    if isinstance(error, SSLCertVerificationError):
        return (
            f"the certificate of PostgreSQL's server is not trusted: {error.verify_message}; name in {DSN} the host "
            "that it is for, and by sslrootcert the authority that issued it"
        )
    if _has_no_tls(error):
        return f"PostgreSQL's server has no TLS, and sslmode of {DSN} demands it: switch it on there, or leave that out"
    return None


def _remedy(error: asyncpg.PostgresError) -> str | None:
    match error:
        case asyncpg.InvalidPasswordError():
            return f"see {DSN} and {PASSWORD}"
        case asyncpg.InvalidAuthorizationSpecificationError() if "no encryption" in str(error):
            return f"add ?sslmode=require to {DSN} where the server has TLS, or let this user in by its pg_hba.conf"
        case asyncpg.InvalidAuthorizationSpecificationError():
            return f"see {DSN}, and the server's pg_hba.conf"
        case asyncpg.InvalidCatalogNameError():
            return f"make it (CREATE DATABASE … ENCODING 'UTF8'), or see {DSN}"
        case asyncpg.InsufficientPrivilegeError():
            return (
                f"connect by {DSN} as a role that may do this, or let an administrator run `bigbrotr migrate`, which "
                "gives the archive's roles their rights"
            )
    return None


def _breaks_sessions(error: asyncpg.PostgresError) -> bool:
    """Return whether it shows that a pooler is on the way which does not keep what belongs to a session."""
    if isinstance(error, asyncpg.InvalidSQLStatementNameError | asyncpg.DuplicatePreparedStatementError):
        return True
    return isinstance(error, asyncpg.ProtocolViolationError) and _NO_SETTINGS in str(error)


def _is_refused_by_pooler(error: asyncpg.PostgresError) -> bool:
    return isinstance(error, asyncpg.ProtocolViolationError) and any(text in str(error) for text in _NOT_LET_IN)


def _has_no_tls(error: BaseException) -> bool:
    return isinstance(error, ConnectionError) and _NO_TLS in str(error)
