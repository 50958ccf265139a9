"""The relay's document (NIP-11), and what people see who open its address in a browser."""

from __future__ import annotations

from html import escape
from importlib.metadata import version

import orjson

from api.relay.messages import SUBID_CHARACTERS
from core.settings import Settings

DOCUMENT_TYPE = "application/nostr+json"
"""NIP-11."""
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
}
"""The three headers that NIP-11 requires."""

_NIPS = (1, 11, 42, 45, 67)
_SOFTWARE = "https://github.com/BigBrotr/bigbrotr"


def document(settings: Settings) -> bytes:
    """The document: only limits that are enforced, and only NIPs that are followed."""
    api = settings.api
    return orjson.dumps(
        {
            "name": api.name,
            "description": api.about or "A read-only archive of Nostr events.",
            **({"pubkey": api.pubkey} if api.pubkey else {}),
            **({"contact": api.contact} if api.contact else {}),
            "supported_nips": supported_nips(settings),
            "software": _SOFTWARE,
            "version": version("bigbrotr"),
            "limitation": {
                "max_message_length": api.message_bytes,
                "max_subscriptions": api.subscriptions,
                "max_limit": api.page_events,
                "default_limit": api.page_events,
                "max_subid_length": SUBID_CHARACTERS,
                "auth_required": False,
                "payment_required": False,
                "restricted_writes": True,
            },
        }
    )


def supported_nips(settings: Settings) -> list[int]:
    """Of deletions (NIP-09), expirations (NIP-40) and protected events (NIP-70) only what the policy does."""
    policy = settings.policy
    by_policy = {9: policy.deletion != "flag", 40: policy.expiration != "flag", 70: policy.protected == "hide"}
    return sorted([*_NIPS, *(nip for nip, is_followed in by_policy.items() if is_followed)])


def greeting(settings: Settings) -> str:
    """A page for browsers."""
    name = escape(settings.api.name)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,">'
        f"<title>{name}</title><h1>{name}</h1>"
        f"<p>{escape(settings.api.about)}</p>"
        "<p>This is a read-only Nostr relay: give this address to a client, with ws or wss for http or https. "
        'Programs read the same archive by <a href="/docs">REST</a> (<a href="/openapi.json">OpenAPI</a>).</p></html>\n'
    )


def wants_document(accept: str) -> bool:
    """Whether a header Accept asks for the relay's document."""
    return any(part.partition(";")[0].strip().lower() == DOCUMENT_TYPE for part in accept.split(","))
