"""The Faust app: its settings, each with the reason why it is not Faust's default.

Faust gives us consumer groups, rebalances, streams and offset commits. Web server, tables, topic creation and its
producer are not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import faust
from faust.auth import SASLCredentials, SSLCredentials
from faust.tables.manager import TableManager
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TopicT
from faust.types.auth import CredentialsT
from mode.supervisors import CrashingSupervisor
from mode.threads import ServiceThread, WorkerThread

from core import kafka
from core.settings import Settings
from processors.runtime.spec import ProcessorSpec

# Records that wait in memory between Kafka's client and the lanes, of each topic; at 256 KiB each, as bundles are, this
# is 16 MiB, Faust's own default of 4096 would be a gibibyte.
_STREAM_BUFFER_RECORDS = 64
# Per partition and fetch. The largest bundle is a little over 1 MiB, and Kafka sends a first record of any size.
_FETCH_BYTES = 1024 * 1024
# A fetch is bounded as it travels: compressed. A mebibyte of it can hold gigabytes of repetitive bundles, which Faust
# would unpack at once; so it unpacks as many as its buffer takes, of a little over 1 MiB each at most.
_POLL_RECORDS = _STREAM_BUFFER_RECORDS
# Two heartbeats may be lost within the shortest session that Kafka allows.
_HEARTBEAT_S = 2.0
# Kafka waits this long for a member that drains at a revoke; beyond the deadline of our own for that drain.
_REBALANCE_MARGIN_S = 10.0
# aiokafka's default; Faust wants it to be no shorter than the session.
_REQUEST_TIMEOUT_S = 40.0


class _App(faust.App):
    """Faust's app, which writes nothing to disk: a container's file system is read-only."""

    def _create_directories(self) -> None:
        """Make none. They are for tables, of which there are none."""


class _DaemonThread(WorkerThread):
    """The thread of Faust's consumer, for which the end of the process does not wait.

    A drain ends the thread. One that is left has committed all that it will: a consumer that is closed while it joins
    its group waits for Kafka's answer first, which comes after the session of a member that was killed before.
    """

    def __init__(self, service: ServiceThread, **options: Any) -> None:
        super().__init__(service, **options)
        self.daemon = True


# Faust makes its consumer itself and hands it no class of threads.
AIOKafkaConsumerThread.Worker = _DaemonThread


class _NoTables(TableManager):
    """Faust's table manager without the second that it waits at each start for tables to be declared."""

    async def on_start(self) -> None:
        """Let the conductor subscribe at once."""
        await self._update_channels()
        await self.recovery.start()


def create_app(settings: Settings, spec: ProcessorSpec) -> faust.App:
    """Make the app, without agents. It must be started in the running loop that made it.

    Args:
        settings: with `kafka.bootstrap_servers` filled in.
        spec: whose group and name it has.

    Raises:
        SettingsError: no broker is named, or a file that TLS needs cannot be used.
    """
    connection = kafka.connection_options(settings)
    return _App(
        spec.group_id,
        broker=[f"kafka://{server}" for server in connection["bootstrap_servers"].split(",")],
        broker_credentials=_credentials(connection),
        broker_client_id=f"bigbrotr-{spec.name}",
        # A worker binds no port: health and metrics are served by our own lifecycle.
        web_enabled=False,
        key_serializer="raw",
        # A decode error inside Faust ends an agent silently; we decode, and refuse what is bad.
        value_serializer="raw",
        cython_optimizations=True,
        # The default restarts the agent and goes on past what it failed on.
        agent_supervisor=CrashingSupervisor,
        topic_allow_declare=False,
        # The leader's election topic would be created by Faust.
        topic_disable_leader=True,
        # `latest` would skip what came before the first start.
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=_FETCH_BYTES,
        broker_max_poll_records=_POLL_RECORDS,
        stream_buffer_maxsize=_STREAM_BUFFER_RECORDS,
        # A revoke waits for the records that are open; the service ends the process if that takes too long.
        stream_wait_empty=True,
        broker_commit_interval=kafka.COMMIT_INTERVAL_S,
        broker_session_timeout=settings.kafka.session_timeout_s,
        broker_heartbeat_interval=_HEARTBEAT_S,
        broker_rebalance_timeout=spec.drain_s + _REBALANCE_MARGIN_S,
        consumer_metadata_max_age_ms=kafka.METADATA_AGE_MS,
        broker_request_timeout=max(_REQUEST_TIMEOUT_S, settings.kafka.session_timeout_s),
        TableManager=_NoTables,
        # Standby replicas and the assignor for tables would add topics and state of Faust's.
        table_standby_replicas=0,
        worker_redirect_stdouts=False,
    )


def _credentials(connection: Mapping[str, Any]) -> CredentialsT | None:
    """Word aiokafka's options as Faust takes them, which makes the same of them again."""
    context = connection["ssl_context"]
    if "sasl_mechanism" in connection:
        return SASLCredentials(
            username=connection["sasl_plain_username"],
            password=connection["sasl_plain_password"],
            mechanism=connection["sasl_mechanism"],
            ssl_context=context,  # with one, the protocol is SASL_SSL
        )
    return SSLCredentials(context) if context is not None else None


def declare_topic(app: faust.App, name: str) -> TopicT:
    """Name an existing topic (full name) to an agent; it is never created from here."""
    return app.topic(name, key_type=bytes, value_type=bytes, internal=False, allow_empty=True, acks=True)
