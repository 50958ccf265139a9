"""Events by which the demo's relays name each other, so that who knows one of them finds them all."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.demo.events import make_author, sign_draft
from deploy.demo.scene import Draft, Signed

AUTHORS = 2  # one could name any number of relays that do not exist: a registry asks for two who are not the same


def naming(urls: Sequence[str], *, seed: int, created_at: int) -> list[list[Signed]]:
    """Return for each relay the events that it is to hold: relay lists (kind 10002) that name the next relay.

    The last one names the first. Each author writes one list, so that none replaces another.
    """
    return [
        [
            sign_draft(Draft(make_author(f"{seed}/names {url}/{number}"), 10002, [["r", url]], ""), created_at)
            for number in range(AUTHORS)
        ]
        for url in (*urls[1:], urls[0])
    ]
