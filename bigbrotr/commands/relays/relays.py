"""`bigbrotr relays`: looks at the registry of relays, and tells it what people want."""

from __future__ import annotations

import click

from bigbrotr.commands.relays.changing import add, deny, priority, remove
from bigbrotr.commands.relays.looking import list_, show
from bigbrotr.commands.relays.publish import publish
from bigbrotr.commands.topics.rediscover import rediscover


@click.group()
def relays() -> None:
    """Look at the registry of relays, and say which of them to read."""


for _command in (list_, show, add, remove, deny, priority, publish, rediscover):
    relays.add_command(_command)
