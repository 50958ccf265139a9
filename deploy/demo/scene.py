"""The shapes that demo events are made from: authors, drafts, finished events, and scenes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

Tags = list[list[str]]


class Author(NamedTuple):
    """A key pair of the demo: 32 secret bytes and the x-only public key in hex."""

    secret: bytes
    pubkey: str


class Signed(NamedTuple):
    """A finished event: its id, author and kind, and the bytes that a relay is given."""

    id: str
    pubkey: str
    kind: int
    wire: bytes


class Draft(NamedTuple):
    """An event without id, time and signature. `pow_bits` > 0 asks for that much work (NIP-13)."""

    author: Author
    kind: int
    tags: Tags
    content: str
    pow_bits: int = 0


class Scene(NamedTuple):
    """What an author sees when writing.

    Attributes:
        authors: those who write the regular events.
        newcomer: an author who appears in this scene only and writes every replaceable kind once.
        recent: events of this scene so far, for replies, reactions and reposts.
        unique: a text that no other scene has, the beginning of each `d` tag.
        expires_s: a time in the future, in Unix seconds.
        make_author: a fresh key pair from a label, for one-time keys (NIP-59) and zap services.
        sign: finishes a draft, for events inside events (NIP-57).
    """

    authors: tuple[Author, ...]
    newcomer: Author
    recent: list[Signed]
    unique: str
    expires_s: int
    make_author: Callable[[str], Author]
    sign: Callable[[Draft], Signed]
