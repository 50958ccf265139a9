"""Read a topic of BigBrotr and print its records, one line of JSON each.

    eval "$(bigbrotr embedded env)"
    python examples/consume.py nostr.events --from-beginning --limit 5

It needs aiokafka and cramjam (the records are compressed with zstd), and the variables that `bigbrotr embedded env`
sets. Delivery is at least once: a consumer that stores what it reads goes by the event's id.

aiokafka warns that user and password are sent in the clear. To the embedded Kafka they do not leave the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from aiokafka import AIOKafkaConsumer


def connection() -> dict[str, str | None]:
    """Read address and password from the variables; a broker that asks for none needs the first alone."""
    return {
        "bootstrap_servers": os.environ["BIGBROTR_KAFKA__BOOTSTRAP_SERVERS"],
        "security_protocol": os.environ.get("BIGBROTR_KAFKA__SECURITY_PROTOCOL", "PLAINTEXT"),
        "sasl_mechanism": os.environ.get("BIGBROTR_KAFKA__SASL_MECHANISM", "PLAIN"),
        "sasl_plain_username": os.environ.get("BIGBROTR_KAFKA__USERNAME"),
        "sasl_plain_password": os.environ.get("BIGBROTR_KAFKA__PASSWORD"),
    }


async def consume(topic: str, reset: str, limit: int) -> None:
    """Print records as they come, `limit` of them at most; 0: until it is interrupted."""
    printed = 0
    async with AIOKafkaConsumer(topic, auto_offset_reset=reset, **connection()) as consumer:
        async for record in consumer:
            if record.value is None:  # a tombstone: the event of this key was erased
                continue
            sys.stdout.buffer.write(record.value.rstrip(b"\n") + b"\n")
            sys.stdout.flush()
            printed += 1
            if printed == limit:
                return


def main() -> None:
    """Take the arguments and run until the limit or Ctrl-C."""
    parser = argparse.ArgumentParser(description="Print the records of a topic.")
    parser.add_argument("topic", help="for example nostr.events, nostr.sightings or nostr.coverage")
    parser.add_argument("--from-beginning", action="store_true", help="begin with the oldest record, not the next one")
    parser.add_argument("--limit", type=int, default=0, help="end after so many records; 0: never")
    given = parser.parse_args()
    try:
        asyncio.run(consume(given.topic, "earliest" if given.from_beginning else "latest", given.limit))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
