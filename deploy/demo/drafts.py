"""What demo authors write: one function per kind of event, each a draft that only wants a time and a signature.

Nothing here replaces or deletes anything else (see `deploy.demo.events`): addressable drafts carry a `d` tag
of their own, and deletions name events that do not exist. Replaceable events: `deploy.demo.profile`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import orjson

from deploy.demo.scene import Draft, Scene, Signed, Tags
from deploy.demo.text import EMOJI, TRICKY, article, base64ish, chance, hex64, text, url, words

MAX_QUOTE_BYTES = 4096  # a repost of an article would make the median size of events unlike that of real ones


def note(rng: Random, scene: Scene) -> Draft:
    """Kind 1: replies, hashtags; some expire (NIP-40), are protected (NIP-70) or carry proof of work (NIP-13)."""
    tags: Tags = []
    content = text(rng)
    if scene.recent and chance(rng, 0.6):
        parent = rng.choice(scene.recent)
        tags += [["e", parent.id, "wss://relay.example.net", "reply"], ["p", parent.pubkey]]
    tags += [["t", word.lower()] for word in words(rng, rng.choice((0, 1, 1, 2))).split()]
    if chance(rng, 0.1):
        link = url(rng)
        content += "\n" + link
        tags += [["r", link], ["imeta", f"url {link}", "m image/jpeg", f"x {hex64(rng)}"]]
    if chance(rng, 0.02):
        tags += [["p", rng.choice(scene.authors).pubkey] for _ in range(rng.randint(20, 120))]
    if chance(rng, 0.02):
        tags.append(["expiration", str(scene.expires_s)])
    if chance(rng, 0.01):
        tags.append(["-"])
    work = chance(rng, 0.005)
    return Draft(rng.choice(scene.authors), 1, tags, content, pow_bits=8 if work else 0)


def reaction(rng: Random, scene: Scene) -> Draft:
    """Kind 7 (NIP-25), some with a custom emoji (NIP-30)."""
    target = _target(rng, scene)
    tags: Tags = [["e", target.id], ["p", target.pubkey], ["k", str(target.kind)]]
    content = rng.choice(("+", "-", "", *EMOJI))
    if chance(rng, 0.1):
        content = ":soapbox:"
        tags.append(["emoji", "soapbox", url(rng)])
    return Draft(rng.choice(scene.authors), 7, tags, content)


def repost(rng: Random, scene: Scene) -> Draft:
    """Kind 6 (NIP-18): the reposted event is quoted whole, unless it is protected (NIP-70 forbids that)."""
    target = _target(rng, scene)
    quote = (
        target.wire.decode()
        if target.wire and b'["-"]' not in target.wire and len(target.wire) < MAX_QUOTE_BYTES
        else ""
    )
    return Draft(rng.choice(scene.authors), 6, [["e", target.id, ""], ["p", target.pubkey]], quote)


def zap(rng: Random, scene: Scene) -> Draft:
    """Kind 9735 (NIP-57): a service's receipt with the signed request inside a tag, so escapes within escapes."""
    target = _target(rng, scene)
    amount = str(rng.choice((21, 100, 1000, 5000)) * 1000)
    common: Tags = [["p", target.pubkey], ["e", target.id]]
    request_tags = [*common, ["amount", amount], ["relays", "wss://relay.example.net", "wss://other.example.org"]]
    request = scene.sign(Draft(rng.choice(scene.authors), 9734, request_tags, rng.choice(("", text(rng, 5)))))
    tags = [*common, ["bolt11", f"lnbc{amount}n1{rng.randbytes(90).hex()}"], ["description", request.wire.decode()]]
    return Draft(scene.make_author("zap service"), 9735, tags, "")


def gift_wrap(rng: Random, scene: Scene) -> Draft:
    """Kind 1059 (NIP-59): ciphertext from a key that is used once, for exactly one recipient."""
    key = scene.make_author(f"once {scene.unique} {hex64(rng)}")
    return Draft(
        key, 1059, [["p", rng.choice(scene.authors).pubkey]], base64ish(rng, rng.choice((352, 512, 1024, 4096)))
    )


def direct_message(rng: Random, scene: Scene) -> Draft:
    """Kind 4 (NIP-04)."""
    content = f"{base64ish(rng, rng.choice((32, 64, 256)))}?iv={base64ish(rng, 16)}"
    return Draft(rng.choice(scene.authors), 4, [["p", rng.choice(scene.authors).pubkey]], content)


def deletion(rng: Random, scene: Scene) -> Draft:
    """Kind 5 (NIP-09) for events and addresses that no relay here has."""
    author = rng.choice(scene.authors)
    tags: Tags = [["e", hex64(rng)], ["k", "1"], ["a", f"30023:{author.pubkey}:never-written-{hex64(rng)[:8]}"]]
    return Draft(author, 5, tags, text(rng, 3))


def chat(rng: Random, scene: Scene) -> Draft:
    """Kind 42 (NIP-28), a message in a public channel."""
    return Draft(rng.choice(scene.authors), 42, [["e", "ab" * 32, "wss://relay.example.net", "root"]], text(rng, 12))


def comment(rng: Random, scene: Scene) -> Draft:
    """Kind 1111 (NIP-22), with upper-case tags for the root and lower-case ones for the parent."""
    target = _target(rng, scene)
    address = f"30023:{target.pubkey}:{scene.unique}"
    tags: Tags = [
        ["A", address],
        ["K", "30023"],
        ["P", target.pubkey],
        ["a", address],
        ["k", "30023"],
        ["p", target.pubkey],
    ]
    return Draft(rng.choice(scene.authors), 1111, tags, text(rng, 20))


def file_metadata(rng: Random, scene: Scene) -> Draft:
    """Kind 1063 (NIP-94)."""
    tags: Tags = [
        ["url", url(rng)],
        ["m", "image/jpeg"],
        ["x", hex64(rng)],
        ["size", str(rng.randrange(10**7))],
        ["alt", words(rng, 5)],
    ]
    return Draft(rng.choice(scene.authors), 1063, tags, text(rng, 6))


def long_form(rng: Random, scene: Scene) -> Draft:
    """Kind 30023 (NIP-23): the large ones."""
    slug = f"{scene.unique}-{len(scene.recent)}"
    tags: Tags = [
        ["d", slug],
        ["title", words(rng, 6)],
        ["published_at", str(scene.expires_s % 10**9)],
        ["t", "longform"],
    ]
    return Draft(rng.choice(scene.authors), 30023, tags, article(rng))


def app_data(rng: Random, scene: Scene) -> Draft:
    """Kind 30078 (NIP-78): JSON within a string, under an address that looks like a path."""
    content = orjson.dumps({"theme": "dark", "mutes": [hex64(rng) for _ in range(rng.randint(0, 12))]}).decode()
    return Draft(rng.choice(scene.authors), 30078, [["d", f"app/{scene.unique}/{len(scene.recent)}:ключ"]], content)


def odd_kind(rng: Random, scene: Scene) -> Draft:
    """Report a kind that no NIP defines: up to 65535, tags empty or without a value."""
    return Draft(
        rng.choice(scene.authors),
        rng.choice((1984, 9802, 45, 40000, 65535)),
        [["t"], ["alt", ""], ["x", TRICKY]],
        text(rng),
    )


# Shares of the regular kinds, after what clients write most; the rest of a scene is its profile set.
KINDS: tuple[tuple[Callable[[Random, Scene], Draft], int], ...] = (
    (note, 48),
    (reaction, 19),
    (repost, 5),
    (zap, 5),
    (gift_wrap, 6),
    (direct_message, 4),
    (comment, 3),
    (chat, 2),
    (app_data, 2),
    (odd_kind, 2),
    (deletion, 1),
    (file_metadata, 1),
    (long_form, 2),
)


def any_draft(rng: Random, scene: Scene) -> Draft:
    """Return a draft of some kind, drawn by its share."""
    makers, weights = zip(*KINDS, strict=True)
    maker: Callable[[Random, Scene], Draft] = rng.choices(makers, weights)[0]
    return maker(rng, scene)


def _target(rng: Random, scene: Scene) -> Signed:
    """Return an event of this scene to refer to, or one that no relay has when there is none yet."""
    return rng.choice(scene.recent) if scene.recent else Signed(hex64(rng), rng.choice(scene.authors).pubkey, 1, b"")
