"""Rules of erasure other than by id alone: which are new to an archive, what they cover, and their removal.

What each covers is told by `schemas.records.erasure.Erasures.covers`; a test holds that both say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.archive.connection import Connection
from schemas.nostr.deletion import address_sha256
from schemas.records.erasure import Cause, Erasure
from sinks.archive_lock import EXCLUSIVE
from sinks.erasure.erased import Found


@dataclass(slots=True)
class Rules:
    """Rules about other things than an id alone, by kind of target; times are Unix seconds, included.

    Attributes:
        author_ids: (id, key that must be able to delete it).
        addresses: (hash of the address, its kind, its author, until).
        authors: (author, cause, until).
    """

    author_ids: list[tuple[bytes, bytes]] = field(default_factory=list)
    addresses: list[tuple[bytes, int, bytes, int]] = field(default_factory=list)
    authors: list[tuple[bytes, str, int]] = field(default_factory=list)

    @classmethod
    def of(cls, rules: Iterable[Erasure]) -> Rules:
        """Sort rules; those about an id alone are left out."""
        made = cls()
        for rule in rules:
            if rule.address is not None:
                kind, pubkey, _ = rule.address.split(":", 2)
                target = (address_sha256(rule.address), int(kind), bytes.fromhex(pubkey))
                made.addresses.append((*target, rule.until_s or 0))
            elif rule.id is None:
                made.authors.append((bytes.fromhex(rule.pubkey or ""), rule.cause.value, rule.until_s or 0))
            elif rule.pubkey is not None:
                made.author_ids.append((bytes.fromhex(rule.id), bytes.fromhex(rule.pubkey)))
        return made

    def __len__(self) -> int:
        return len(self.author_ids) + len(self.addresses) + len(self.authors)


_NEW_AUTHOR_IDS = """
SELECT id, pubkey FROM unnest($1::bytea[], $2::bytea[]) AS rule (id, pubkey)
WHERE NOT EXISTS (SELECT FROM erased_author_ids AS applied
    WHERE applied.id = rule.id AND applied.pubkey = rule.pubkey)
"""
_NEW_ADDRESSES = """
SELECT address_sha256, kind, pubkey, until_s
FROM unnest($1::bytea[], $2::integer[], $3::bytea[], $4::bigint[]) AS rule (address_sha256, kind, pubkey, until_s)
WHERE NOT EXISTS (SELECT FROM erased_addresses AS applied
    WHERE applied.address_sha256 = rule.address_sha256 AND applied.until_s >= rule.until_s)
"""
_NEW_AUTHORS = """
SELECT pubkey, cause, until_s FROM unnest($1::bytea[], $2::text[], $3::bigint[]) AS rule (pubkey, cause, until_s)
WHERE NOT EXISTS (SELECT FROM erased_authors AS applied
    WHERE applied.pubkey = rule.pubkey AND applied.cause = rule.cause AND applied.until_s >= rule.until_s)
"""

_BY_AUTHOR_ID = """
SELECT event.created_at, event.id, 'deletion' AS cause
FROM unnest($1::bytea[], $2::bytea[]) AS rule (id, pubkey)
JOIN events AS event ON event.id_prefix = key_prefix(rule.id) AND event.id = rule.id
WHERE event.kind NOT IN (5, 62) AND (rule.pubkey = event.pubkey
    OR rule.pubkey = ANY (event_recipients(event.kind, event.tags, event.created_at, event.id)))
LIMIT $3
"""
_BY_ADDRESS = """
SELECT event.created_at, event.id, 'deletion' AS cause
FROM unnest($1::bytea[], $2::integer[], $3::bytea[], $4::bigint[]) AS rule (address_sha256, kind, pubkey, until_s)
JOIN events AS event ON event.pubkey_prefix = key_prefix(rule.pubkey) AND event.kind = rule.kind
    AND event.created_at <= rule.until_s AND event.pubkey = rule.pubkey
WHERE rule.address_sha256
    = event_address_sha256(event.kind, event.pubkey, event.tags, event.created_at, event.id)
LIMIT $5
"""
_BY_AUTHOR = """
SELECT event.created_at, event.id, rule.cause
FROM unnest($1::bytea[], $2::text[], $3::bigint[]) AS rule (pubkey, cause, until_s)
JOIN events AS event ON event.pubkey_prefix = key_prefix(rule.pubkey) AND event.created_at <= rule.until_s
    AND event.pubkey = rule.pubkey
WHERE rule.cause <> 'vanish' OR event.kind <> 62
LIMIT $4
"""
_BY_RECIPIENT = """
SELECT event.created_at, event.id, rule.cause
FROM unnest($1::bytea[], $2::text[], $3::bigint[]) AS rule (pubkey, cause, until_s)
JOIN events AS event ON event.kind = 1059 AND event.created_at <= rule.until_s
    -- 0: it has more tags than are indexed (schemas.lookup.MORE_TAGS).
    AND event.tag_hashes && ARRAY[tag_hash('p', encode(rule.pubkey, 'hex')), 0]
    AND rule.pubkey = ANY (event_recipients(event.kind, event.tags, event.created_at, event.id))
WHERE rule.cause = 'vanish'
LIMIT $4
"""

_STORE_AUTHOR_IDS = """
INSERT INTO erased_author_ids (id, pubkey) SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT DO NOTHING
"""
_STORE_ADDRESS = """
INSERT INTO erased_addresses AS applied (address_sha256, until_s) VALUES ($1, $2)
ON CONFLICT (address_sha256) DO UPDATE SET until_s = greatest(applied.until_s, excluded.until_s)
"""
_STORE_AUTHOR = """
INSERT INTO erased_authors AS applied (pubkey, cause, until_s) VALUES ($1, $2, $3)
ON CONFLICT (pubkey, cause) DO UPDATE SET until_s = greatest(applied.until_s, excluded.until_s)
"""


async def new_rules(connection: Connection, rules: Rules) -> Rules:
    """Which rules have not been applied here: neither they nor one that reaches further."""
    new = Rules()
    if rules.author_ids:
        new.author_ids = [tuple(row) for row in await connection.fetch(_NEW_AUTHOR_IDS, *_columns(rules.author_ids))]
    if rules.addresses:
        new.addresses = [tuple(row) for row in await connection.fetch(_NEW_ADDRESSES, *_columns(rules.addresses))]
    if rules.authors:
        new.authors = [tuple(row) for row in await connection.fetch(_NEW_AUTHORS, *_columns(rules.authors))]
    return new


async def find(connection: Connection, rules: Rules, limit: int) -> list[Found]:
    """Events in the archive that rules cover, about so many at most, perhaps some twice."""
    queries = (
        (_BY_AUTHOR_ID, rules.author_ids),
        (_BY_ADDRESS, rules.addresses),
        (_BY_AUTHOR, rules.authors),
        (_BY_RECIPIENT, rules.authors),
    )
    rows = [row for query, them in queries if them for row in await connection.fetch(query, *_columns(them), limit)]
    return [Found(row["created_at"], row["id"], Cause(row["cause"])) for row in rows]


async def store_if_done(connection: Connection, rules: Rules) -> bool:
    """Record rules as applied, if nothing is left that they cover; return whether that was so."""
    async with connection.transaction():
        await connection.execute(EXCLUSIVE)
        if await find(connection, rules, 1):
            return False
        if rules.author_ids:
            await connection.execute(_STORE_AUTHOR_IDS, *_columns(rules.author_ids))
        await connection.executemany(_STORE_ADDRESS, [(target, until_s) for target, _, _, until_s in rules.addresses])
        await connection.executemany(_STORE_AUTHOR, rules.authors)
        return True


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
