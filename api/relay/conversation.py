"""What a client is told for each of its messages."""

from __future__ import annotations

import time

from api.context import Context
from api.rates import Rates
from api.relay import answers, privacy
from api.relay.authentication import Login
from api.relay.messages import Auth, Bounds, Close, Count, Publish, Refused, Req, parse
from api.relay.outbox import Outbox
from api.relay.requests import Requests

_REFUSALS_PER_MINUTE = 60
"""A client that repeats what is refused gains nothing, and each answer costs work."""


class CutError(Exception):
    """The connection is to be closed; the message is the reason that the client is told."""


class Conversation:
    """Takes the messages of one client.

    Args:
        context: of the API.
        client: who is charged.
        login: what the client has proved.
        requests: answers REQ and COUNT.
        outbox: takes all other answers.
    """

    def __init__(self, context: Context, client: str, login: Login, requests: Requests, outbox: Outbox) -> None:
        api = context.settings.api
        self._rates = context.rates
        self._client = client
        self._login = login
        self._requests = requests
        self._outbox = outbox
        self._bounds = Bounds(api.filters, api.filter_values)
        self._refusals = Rates(_REFUSALS_PER_MINUTE, clients=1)
        self._is_challenged = False

    def take(self, text: str | None) -> None:
        """Take a message; None: it was binary.

        Raises:
            CutError: the client keeps to no bounds.
        """
        if text is None:
            self._refuse(answers.notice("invalid: the message is binary; send text"))
            return
        match parse(text, self._bounds):
            case Refused(answer, ended):
                self._refuse(answer, ended)
            case Close(subid):
                self._requests.end(subid)
            case asked:
                allowance = self._rates.take(self._client)
                if allowance.is_granted:
                    self._serve(asked)
                    return
                many = f"{self._rates.per_minute} requests of a client are served in a minute"
                self._refuse_one(asked, f"rate-limited: {many}; try again in {allowance.wait_s:.1f} s")

    def _serve(self, asked: Req | Count | Publish | Auth) -> None:
        match asked:
            case Publish():
                self._outbox.put(asked.refusal("blocked: read-only archive"))
            case Auth(event):
                reason = self._login.take(event, time.time())
                if reason is None:
                    self._outbox.put(answers.ok(event.id, "", is_accepted=True))
                else:
                    self._refuse_one(asked, reason)
            case Req() | Count():
                if not self._login.keys and privacy.names_private_kinds(asked.filters):
                    self._challenge()
                reason = privacy.refusal(asked.filters, self._login.keys) or self._requests.no_place(asked)
                if reason is None:
                    self._requests.add(asked)
                else:
                    self._refuse_one(asked, reason)

    def _challenge(self) -> None:
        """Once: a challenge is valid as long as the connection."""
        if not self._is_challenged:
            self._is_challenged = True
            self._outbox.put(answers.challenge(self._login.challenge))

    def _refuse_one(self, asked: Req | Count | Publish | Auth, text: str) -> None:
        self._refuse(asked.refusal(text), asked.subid if isinstance(asked, Req) else None)

    def _refuse(self, answer: bytes, ended: str | None = None) -> None:
        """Answer that a message is not served, after which there is no subscription of the id that is given."""
        if ended is not None:
            self._requests.end(ended)
        self._outbox.put(answer)
        if not self._refusals.take("").is_granted:
            raise CutError(f"more than {_REFUSALS_PER_MINUTE} messages in a minute were refused")
