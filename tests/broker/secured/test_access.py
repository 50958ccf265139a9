"""Every client of ours, Faust's too, comes in by SCRAM, by TLS and by both; what is wrong is said at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from core import kafka
from core.kafka.topics import create_topics
from core.settings import Settings, SettingsError
from deploy.demo.events import generate
from tests.broker.processors.harness import all_committed, bundles, event_ids, line, processor, produce
from tests.broker.secured.broker import SecuredBroker, secured_broker
from tests.broker.secured.certificates import Authority

pytestmark = [
    pytest.mark.broker,
    pytest.mark.timeout(240),
    # aiokafka does not wait for the end of a connection over TLS that a broker has refused.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
WAYS = ("scram", "scram_tls", "mutual_tls")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    with secured_broker(tmp_path_factory.mktemp("secured")) as running:
        yield running


@pytest.mark.parametrize("way", WAYS)
async def test_bundles_become_events(broker: SecuredBroker, way: str, tmp_path: Path) -> None:
    given = broker.changed(way, topic_prefix=f"{way}.", partitions=2, session_timeout_s=6.0)
    settings = Settings(kafka=given)
    settings = settings.model_copy(update={"processor": settings.processor.model_copy(update={"group_id": way})})
    await create_topics(settings)
    events = generate(20, seed=5, base_time_s=1_700_000_000, workers=1)
    made = bundles([line(event.id, event.wire) for event in events], 2)
    await produce(settings, made)
    with processor(settings, tmp_path) as process:
        await all_committed(settings, made)
        assert await process.stop() == 0, process.log()
    assert set(await event_ids(settings)) == {event.id for event in events}
    assert "hunter2" not in process.log()
    assert "in the clear" not in process.log()


@pytest.mark.parametrize(
    ("way", "changes", "words"),
    [
        ("scram", {"password": SecretStr("other")}, r"refuses the user or the password.*BIGBROTR_KAFKA__USERNAME"),
        ("scram_tls", {"username": "other"}, "refuses the user or the password"),
        ("scram", {"sasl_mechanism": "PLAIN"}, r"does not take PLAIN.*BIGBROTR_KAFKA__SASL_MECHANISM"),
        ("scram_tls", {"ssl_cafile": None}, r"its certificate does not hold.*BIGBROTR_KAFKA__SSL_CAFILE"),
        (
            "mutual_tls",
            {"ssl_certfile": None, "ssl_keyfile": None},
            r"refuses our certificate.*BIGBROTR_KAFKA__SSL_CERTFILE",
        ),
        (
            "mutual_tls",
            {"security_protocol": "SASL_SSL", "username": "a", "password": SecretStr("b")},
            r"asks for no password.*BIGBROTR_KAFKA__SECURITY_PROTOCOL",
        ),
    ],
)
async def test_what_is_wrong_is_said_at_once(
    broker: SecuredBroker, way: str, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(kafka.KafkaRefusedError, match=words):
        await kafka.producer(Settings(kafka=broker.changed(way, **changes)))


async def test_a_certificate_of_another_authority_is_refused(broker: SecuredBroker, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger").sign("client of a stranger")
    given = broker.changed("mutual_tls", ssl_certfile=stranger.certificate, ssl_keyfile=stranger.key)
    with pytest.raises(kafka.KafkaRefusedError, match="refuses our certificate"):
        await kafka.producer(Settings(kafka=given))


async def test_a_key_that_is_encrypted_is_opened_by_its_password(broker: SecuredBroker) -> None:
    locked = broker.authority.sign("locked", password="sesame")
    files = {"ssl_certfile": locked.certificate, "ssl_keyfile": locked.key}
    right = broker.changed("mutual_tls", **files, ssl_password=SecretStr("sesame"))
    await kafka.stop_client(await kafka.admin(Settings(kafka=right)))
    for wrong in ({}, {"ssl_password": SecretStr("open")}):
        with pytest.raises(SettingsError, match=r"BIGBROTR_KAFKA__SSL_PASSWORD\) does not open it"):
            await kafka.admin(Settings(kafka=broker.changed("mutual_tls", **files, **wrong)))


async def test_a_broker_that_is_away_is_still_waited_for(broker: SecuredBroker) -> None:
    """What asks a broker for its reasons takes none of them from one that does not answer."""
    from core.kafka.refusals import raise_if_refused  # noqa: PLC0415 - what the clients call

    away = broker.changed("scram_tls", bootstrap_servers="127.0.0.1:1")
    await raise_if_refused(Settings(kafka=away))
