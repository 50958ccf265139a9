from __future__ import annotations

import pytest
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from core.kafka import admin, open_publisher, stop_client
from core.kafka.topic_admin import own_configs
from core.kafka.topics import TopicsError, create_topics, describe_topics
from core.settings import Settings
from schemas.topics import TOPICS, configs, physical
from tests.waiting import until

pytestmark = pytest.mark.broker


def with_kafka(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update={"kafka": settings.kafka.model_copy(update=changes)})


async def alter(settings: Settings, topic: str, values: dict[str, str]) -> None:
    """Set a topic's own settings, and wait until the broker tells them: it learns of them from the controller."""
    client = await admin(settings)
    await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, values)])

    async def told() -> bool:
        return await own_configs(client, topic) == values

    await until(told, f"the broker tells {values} of {topic}")
    await stop_client(client)


async def test_topics_are_created_as_the_table_says_and_a_second_time_nothing_happens(settings: Settings) -> None:
    assert {state.partitions for state in await describe_topics(settings)} == {0}
    assert {change.action for change in await create_topics(settings)} == {"created"}
    states = {state.name: state for state in await describe_topics(settings)}
    assert states.keys() == {topic.name for topic in TOPICS}
    for name, state in states.items():
        assert (state.partitions, state.replication_factor) == (4, 1)
        assert state.configs == configs(name)
        assert state.end_offsets == dict.fromkeys(range(4), 0)
    again = await create_topics(settings)
    assert {(change.action, tuple(change.changed)) for change in again} == {("unchanged", ())}


async def test_only_what_is_missing_is_created_and_what_differs_is_changed(settings: Settings) -> None:
    events = physical(settings.kafka.topic_prefix, "events")
    client = await admin(settings)
    await client.create_topics([NewTopic(events, 4, 1)])
    await stop_client(client)
    await alter(settings, events, configs("events") | {"cleanup.policy": "delete", "segment.bytes": "1048576"})

    changes = {change.name: change for change in await create_topics(settings)}
    assert changes["events"].action == "changed"
    assert changes["events"].changed == {"cleanup.policy": "compact"}
    assert changes["sightings"].action == "created"
    (state,) = [state for state in await describe_topics(settings) if state.name == "events"]
    # segment.bytes is the operator's own setting.
    assert state.configs == configs("events") | {"segment.bytes": "1048576"}


async def test_another_partition_count_is_refused_before_anything_is_touched(settings: Settings) -> None:
    await create_topics(settings)
    events = physical(settings.kafka.topic_prefix, "events")
    await alter(settings, events, configs("events") | {"cleanup.policy": "delete"})
    with pytest.raises(TopicsError, match=r"has 4 partitions and kafka\.partitions .* is 8: .* set it to 4"):
        await create_topics(with_kafka(settings, partitions=8))
    (state,) = [state for state in await describe_topics(settings) if state.name == "events"]
    assert (state.partitions, state.configs["cleanup.policy"]) == (4, "delete")


async def test_more_replicas_than_brokers_is_an_error_that_says_so(settings: Settings) -> None:
    with pytest.raises(TopicsError, match=r"did not create the topic .*[Rr]eplication factor"):
        await create_topics(with_kafka(settings, replication_factor=3))


async def test_what_a_topic_holds_is_described(settings: Settings) -> None:
    await create_topics(settings)
    sender = await open_publisher(settings)
    for _ in range(3):
        await sender.send(physical(settings.kafka.topic_prefix, "sightings"), b"{}", None, 2)
    await sender.flush(60)
    await sender.close()
    (state,) = [state for state in await describe_topics(settings) if state.name == "sightings"]
    assert state.begin_offsets == {0: 0, 1: 0, 2: 0, 3: 0}
    assert state.end_offsets == {0: 0, 1: 0, 2: 3, 3: 0}
