"""Which new events must not be shown: the flags of the view `event_flags`, of events that may not be archived yet.

A request to delete or to vanish may be older here than the event that it means. The rules are those of migration 0004;
a test holds that both say the same of the same events. Events that rules of erasure cover are left out whatever the
policy is: the sink archives none of them (`sinks.erasure.erased`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.archive.selection import Hide
from schemas.nostr.deletion import address_sha256, recipients
from schemas.nostr.event import Event
from schemas.nostr.facts import address_of, expiration

_ASKED = """
SELECT asked.place FROM unnest(
    $1::bytea[], $2::bytea[], $3::bigint[], $4::integer[], $5::bytea[], $6::text[], $7::bigint[]
) WITH ORDINALITY AS asked (id, pubkey, created_at, kind, address_sha256, recipients, expires_at, place)
WHERE
"""
# The lists of recipients differ in length, which arrays of arrays cannot: each travels as the text of an array.
_RECIPIENTS = "ANY (asked.recipients::bytea[])"
_MAY_DELETE = f"(rule.pubkey = asked.pubkey OR rule.pubkey = {_RECIPIENTS})"

_ERASED = f"""
EXISTS (SELECT FROM erased_ids AS rule WHERE rule.id = asked.id)
OR EXISTS (SELECT FROM erased_authors AS rule
    WHERE rule.pubkey = asked.pubkey AND rule.until_s >= asked.created_at
        AND (rule.cause <> 'vanish' OR asked.kind <> 62))
OR asked.recipients IS NOT NULL AND EXISTS (SELECT FROM erased_authors AS rule
    WHERE rule.pubkey = {_RECIPIENTS} AND rule.until_s >= asked.created_at AND rule.cause = 'vanish')
OR asked.kind NOT IN (5, 62) AND (
    EXISTS (SELECT FROM erased_author_ids AS rule WHERE rule.id = asked.id AND {_MAY_DELETE})
    OR EXISTS (SELECT FROM erased_addresses AS rule
        WHERE rule.address_sha256 = asked.address_sha256 AND rule.until_s >= asked.created_at))
"""  # noqa: S608 - made of our own parts alone
_HIDDEN = {
    Hide.DELETION: f"""
asked.kind NOT IN (5, 62) AND (
    EXISTS (SELECT FROM deletions_by_id AS rule WHERE rule.target_id = asked.id AND {_MAY_DELETE})
    OR EXISTS (SELECT FROM deletions_by_address AS rule
        WHERE rule.address_sha256 = asked.address_sha256 AND rule.requested_at >= asked.created_at))
""",  # noqa: S608
    Hide.EXPIRATION: "asked.expires_at <= extract(epoch FROM now())::bigint",
    Hide.VANISH: f"""
asked.kind <> 62 AND EXISTS (SELECT FROM binding_vanish_requests AS rule
    WHERE rule.pubkey = asked.pubkey AND rule.requested_at >= asked.created_at)
OR asked.recipients IS NOT NULL AND EXISTS (SELECT FROM binding_vanish_requests AS rule
    WHERE rule.pubkey = {_RECIPIENTS} AND rule.requested_at >= asked.created_at)
""",  # noqa: S608
}


def hidden_statement(hide: frozenset[Hide]) -> str:
    """The statement that gives the places, from 1, of what is erased, or left out for one of these reasons."""
    return _ASKED + " OR ".join(f"({part})" for part in [_ERASED, *(_HIDDEN[why] for why in sorted(hide))])


def hidden_values(events: Sequence[Event]) -> tuple[Any, ...]:
    """The values of that statement for events that the archive may hold."""
    addresses = [address_of(each) for each in events]
    return (
        [bytes.fromhex(each.id) for each in events],
        [bytes.fromhex(each.pubkey) for each in events],
        [each.created_at for each in events],
        [each.kind for each in events],
        [None if each is None else address_sha256(each) for each in addresses],
        [_array(recipients(each)) for each in events],
        [expiration(each) for each in events],
    )


def _array(keys: Sequence[bytes]) -> str | None:
    """Keys as the text of an array of `bytea`, None for none."""
    return "{" + ",".join(f'"\\\\x{key.hex()}"' for key in keys) + "}" if keys else None
