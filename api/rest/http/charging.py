"""Charges each request to its client, and tells in headers what is left (draft-ietf-httpapi-ratelimit-headers)."""

from __future__ import annotations

from http import HTTPStatus
from math import ceil

from api.context import Context
from api.rates import WINDOW_S, Allowance
from api.rest.problem import ProblemError


def rate_headers(context: Context, allowance: Allowance) -> dict[str, str]:
    """The headers that tell the limit, what is left of it, and in how many seconds it is whole again."""
    return {
        "RateLimit-Policy": f'"requests";q={context.rates.per_minute};w={WINDOW_S}',
        "RateLimit": f'"requests";r={allowance.left};t={ceil(allowance.full_s)}',
    }


def check(context: Context, allowance: Allowance) -> None:
    """Refuse a request that its client may not make yet.

    Raises:
        ProblemError: 429.
    """
    if not allowance.is_granted:
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"you may make {context.rates.per_minute} requests in a minute, and each page counts; wait as Retry-After "
            "says",
            retry_after_s=allowance.wait_s,
        )
