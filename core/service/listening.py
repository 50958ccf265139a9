"""What is wrong where a service cannot listen, and the remedy."""

from __future__ import annotations

import os

from core.settings.errors import key_and_variable
from core.waiting import brief


def not_listening(what: str, group: str, host: str, port: int, error: OSError) -> str:
    """Say why an address cannot be listened on, in a sentence for the operator.

    Args:
        what: cannot listen there.
        group: of the settings `host` and `port`.
        host: that was tried.
        port: the same.
        error: what the system said.
    """
    is_plain = error.errno is not None and error.errno > 0  # those of host names are below
    why = os.strerror(error.errno).lower() if is_plain and error.errno is not None else brief(error)
    return (
        f"{what} cannot listen on {host}, port {port}: {why}; set {key_and_variable((group, 'port'))} to another port, "
        f"or to 0 for a free one, or correct {key_and_variable((group, 'host'))}"
    )
