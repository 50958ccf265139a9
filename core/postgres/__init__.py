"""PostgreSQL: connections to the archive, which servers can hold one, and which errors pass by waiting."""

from core.postgres.errors import UnusableServerError, is_time_out, is_transient, refusal
from core.postgres.pool import SETTING, connection_options, dsn, place, pool, pool_options
from core.postgres.server import MIN_VERSION

__all__ = [
    "MIN_VERSION",
    "SETTING",
    "UnusableServerError",
    "connection_options",
    "dsn",
    "is_time_out",
    "is_transient",
    "place",
    "pool",
    "pool_options",
    "refusal",
]
