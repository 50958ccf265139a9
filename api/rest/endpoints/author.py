"""`/v1/authors/{pubkey}`: what the archive knows of an author."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from api.rest.endpoint import Answer, Asked, Endpoint, Question
from api.rest.endpoints.asking import not_found, seconds
from api.rest.question_types import PublicKey, Whole
from core.archive.connection import Connection
from core.archive.queries.author import AuthorCounts, Dated, count_kinds, current_versions
from schemas.nostr.event import Event
from schemas.nostr.kinds import CONTACTS_KIND, METADATA_KIND
from schemas.nostr.reading.lists import RELAY_LIST_KINDS, follows, parse_relay_list
from schemas.nostr.reading.profile import parse_profile


class Author(Question):
    """Which author, and how much of it."""

    pubkey: PublicKey
    follows: Whole = Field(100, le=5000, description="So many of the keys that it follows are listed, at most")


class _Version(Answer):
    event_id: str = Field(description="Id of the event that says so, the newest of its kind")
    created_at: int = Field(description="Its own time, Unix seconds")


class ProfileAnswer(_Version):
    """Kind 0 (NIP-01, NIP-24): what the author says of itself; null: it does not say."""

    name: str | None
    display_name: str | None
    about: str | None
    picture: str | None
    banner: str | None
    website: str | None
    nip05: str | None = Field(description="Internet identifier as it is claimed; it is not verified")
    lud06: str | None
    lud16: str | None
    bot: bool | None


class ListedRelayAnswer(Answer):
    """A relay of a list."""

    url: str = Field(description="Normalised URL")
    read: bool = Field(description="The author reads from it what others send it; true in lists that do not tell")
    write: bool = Field(description="The author writes to it; true in lists that do not tell")


class RelayListAnswer(_Version):
    """A list of relays."""

    kind: int = Field(
        description="10002: to read and write (NIP-65); 10006: blocked; 10007: to search; 10012: favourites; 10050: "
        "for direct messages"
    )
    relays: list[ListedRelayAnswer] = Field(description="At most 64, each once")
    left_out: int = Field(description="Entries that are no URL of a public relay, repeat one, or are beyond 64")


class FollowsAnswer(_Version):
    """Kind 3 (NIP-02): whom the author follows."""

    number: int = Field(description="Of all keys")
    pubkeys: list[str] = Field(description="The first of them, in the order of the list")


class KindCountAnswer(Answer):
    """How many events of a kind the author has signed."""

    kind: int
    number: int
    is_exact: bool = Field(description="False: there are more than this number")


class DatedAnswer(Answer):
    """The oldest or newest event by its own time."""

    id: str
    created_at: int = Field(description="Unix seconds")
    first_seen_at: int | None = Field(description="When a relay was first seen to have it, Unix seconds")


class AuthorAnswer(Answer):
    """What the archive knows of an author; null: nothing."""

    pubkey: str
    profile: ProfileAnswer | None
    relay_lists: list[RelayListAnswer]
    follows: FollowsAnswer | None
    kinds: list[KindCountAnswer] = Field(description="By kind; exact up to 1,000; the 64 lowest kinds")
    has_more_kinds: bool = Field(description="Kinds beyond the 64 lowest are not counted")
    oldest: DatedAnswer | None = Field(description="Of the counted kinds")
    newest: DatedAnswer | None = Field(description="Of the counted kinds")


async def _respond(asked: Asked[Author]) -> AuthorAnswer:
    question, view = asked.question, asked.context.view

    async def work(connection: Connection) -> tuple[AuthorCounts, Mapping[int, Event]]:
        counts = await count_kinds(connection, question.pubkey, view)
        kinds = [METADATA_KIND, CONTACTS_KIND, *RELAY_LIST_KINDS]
        return counts, await current_versions(connection, question.pubkey, kinds, view)

    counts, events = await asked.context.reader.read(asked.client, work)
    if not counts.kinds:
        raise not_found("pubkey", "the archive has no event of this author that it shows")
    profile, contacts = events.get(METADATA_KIND), events.get(CONTACTS_KIND)
    return AuthorAnswer(
        pubkey=question.pubkey,
        profile=None if profile is None else _profile(profile),
        relay_lists=[_relay_list(events[kind]) for kind in RELAY_LIST_KINDS if kind in events],
        follows=None if contacts is None else _follows(contacts, question.follows),
        kinds=[KindCountAnswer(kind=each.kind, number=each.number, is_exact=each.is_exact) for each in counts.kinds],
        has_more_kinds=not counts.is_all,
        oldest=_dated(counts.oldest),
        newest=_dated(counts.newest),
    )


def _profile(event: Event) -> ProfileAnswer:
    found = parse_profile(event)
    said = {name: getattr(found, name) for name in ProfileAnswer.model_fields.keys() - _Version.model_fields.keys()}
    return ProfileAnswer(event_id=event.id, created_at=event.created_at, **said)


def _relay_list(event: Event) -> RelayListAnswer:
    found = parse_relay_list(event)
    return RelayListAnswer(
        event_id=event.id,
        created_at=event.created_at,
        kind=event.kind,
        relays=[ListedRelayAnswer(url=each.url, read=each.read, write=each.write) for each in found.relays],
        left_out=found.left_out,
    )


def _follows(event: Event, most: int) -> FollowsAnswer:
    found = follows(event)
    return FollowsAnswer(event_id=event.id, created_at=event.created_at, number=len(found), pubkeys=found[:most])


def _dated(found: Dated | None) -> DatedAnswer | None:
    if found is None:
        return None
    return DatedAnswer(id=found.id, created_at=found.created_at, first_seen_at=seconds(found.first_seen_ms))


ENDPOINTS = (
    Endpoint(
        path="/v1/authors/{pubkey}",
        summary="Profile, relay lists, follows, counts by kind, oldest and newest event of an author",
        tag="authors",
        question=Author,
        answer=AuthorAnswer,
        respond=_respond,
    ),
)
