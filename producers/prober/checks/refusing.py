"""Whether an HTTP answer is a refusal of us: of our address or our program, by a wall in front of the relay.

A challenge is a page that a person's browser solves. Walls send it with 403, 429 or 503, some with 200, so that its
words decide; a page that only greets has none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from schemas.records.probe import Cause

LOOKED_AT_BYTES = 16 * 1024
"""Of a page: challenges name themselves in their head."""
_CHALLENGE_HEADERS = {
    "cf-mitigated": ("challenge",),  # Cloudflare
    "x-vercel-mitigated": ("challenge",),
    "x-amzn-waf-action": ("challenge", "captcha"),  # AWS WAF
}
_CHALLENGES = (
    b"_cf_chl_opt",  # Cloudflare; its path /cdn-cgi/challenge-platform/ is in ordinary pages too
    b"<title>just a moment...</title>",
    b"cf-browser-verification",
    b"checking your browser before accessing",
    b"enable javascript and cookies to continue",
    b"<title>ddos-guard</title>",
    b"/.well-known/ddos-guard/",
    b"sucuri_cloudproxy_js",
    b"/.within.website/x/",  # Anubis
    b"_incapsula_resource",  # Imperva
)
_CAPTCHAS = (b"g-recaptcha", b"h-captcha", b"cf-turnstile")
"""Pages of people have these too, for signing up: they are a refusal only where the status is one."""
_FORBIDDEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS)


def http_refusal(status: int, headers: Mapping[str, str], body: bytes = b"") -> Cause | None:
    """How an answer refuses us: `challenge_page`, `rate_limited` or `forbidden`; None where it does not.

    Args:
        status: of the answer, also of a websocket handshake that failed.
        headers: without regard to case.
        body: the first `LOOKED_AT_BYTES` are looked at.
    """
    if any(headers.get(name, "").strip().lower() in values for name, values in _CHALLENGE_HEADERS.items()):
        return "challenge_page"
    page = body[:LOOKED_AT_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    refused = status >= HTTPStatus.BAD_REQUEST
    if page.startswith(b"<") and any(mark in page for mark in _CHALLENGES + _CAPTCHAS * refused):
        return "challenge_page"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limited"
    if status == HTTPStatus.SERVICE_UNAVAILABLE and "Retry-After" in headers:
        return "rate_limited"
    return "forbidden" if status in _FORBIDDEN else None
