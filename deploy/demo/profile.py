"""What a demo author writes once: the replaceable events of a new author, which nothing will ever replace."""

from __future__ import annotations

from random import Random

import orjson

from deploy.demo.scene import Draft, Scene
from deploy.demo.text import text, url, words


def profile_set(rng: Random, scene: Scene) -> list[Draft]:
    """Return the new author's replaceable events: kinds 0, 3, 10002 and 10050, each written only once."""
    who = scene.newcomer
    about = orjson.dumps(
        {"name": words(rng, 1), "about": text(rng, 12), "picture": url(rng), "nip05": "_@example.com"}
    ).decode()
    follows = [
        ["p", a.pubkey, "wss://relay.example.net"]
        for a in rng.sample(scene.authors, min(len(scene.authors), rng.randint(5, 250)))
    ]
    relays = [
        ["r", "wss://relay.example.net"],
        ["r", "wss://in.example.org", "read"],
        ["r", "wss://out.example.org", "write"],
    ]
    return [
        Draft(who, 0, [], about),
        Draft(who, 3, follows, '{"wss://relay.example.net":{"read":true,"write":true}}'),
        Draft(who, 10002, relays, ""),
        Draft(who, 10050, [["relay", "wss://inbox.example.org"]], ""),
    ]
