"""The list of services: name, servers needed, and how each is started, watched and stopped.

A new service is a module with a `core.service.Service`, its group of settings, and an entry in `SERVICES`. Commands,
`run`, `demo`, `status`, the wait of `import`, the tests of the containers and the documentation go by this list.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bigbrotr.servers import BOTH, KAFKA, Server
from core.settings import Settings, SettingsError

if TYPE_CHECKING:
    from core.service import Service


@dataclass(frozen=True)
class StopTimes:
    """When a service that `run` started is stopped, in seconds after the request.

    Attributes:
        told_at_s: it is told at the latest; before, once it has nothing left to read.
        killed_at_s: it is killed where it has not ended. A kill costs repeated work and never a row.
    """

    told_at_s: float
    killed_at_s: float


@dataclass(frozen=True)
class Reading:
    """The topics that a service reads to their end, by which its lag is known.

    Attributes:
        topics: their names, without the prefix.
        progress: where it records how far it is: Kafka has it as offsets of a consumer group, PostgreSQL in a table.
        group_id: the name under which it records that.
        import_step: what it does with imported lines, as the progress of `import --wait` calls it; None where an import
            is complete without it.
    """

    topics: tuple[str, ...]
    progress: Server
    group_id: Callable[[Settings], str]
    import_step: str | None = None


@dataclass(frozen=True)
class ServiceSpec:
    """One service.

    Attributes:
        name: as `bigbrotr service NAME`, the log, `/status` and the Compose file call it.
        summary: what it does, in a line of Markdown.
        target: `module:attribute` of what makes it from settings. Imported only where it runs, since Faust, aiokafka
            and asyncpg take most of a second.
        needs: the servers without which it cannot do its work.
        stop: how `run` and `demo` stop it; None where they do not start it.
        discovers: whether they start it with `--discover` only.
        serves: whether it is no part of the flow and only answers requests; a run may go without it.
        reads: None for a service without a lag.
    """

    name: str
    summary: str
    target: str
    needs: tuple[Server, ...]
    stop: StopTimes | None = None
    discovers: bool = False
    serves: bool = False
    reads: Reading | None = None

    def factory(self) -> Callable[[Settings], Service]:
        """Import what makes the service, which opens nothing yet."""
        module_name, attribute = self.target.split(":")
        found: Callable[[Settings], Service] = getattr(importlib.import_module(module_name), attribute)

        def make(settings: Settings) -> Service:
            try:
                return found(settings)
            except ValueError as error:  # a setting that only the service itself can check
                raise SettingsError(str(error)) from error

        return make


# In the order of the flow, which is the order in which they are stopped; those outside of it are stopped beside it, as
# nothing waits for what they do. Ctrl-C guarantees an end within 15 s, of which
# the embedded servers may take 6: the last is killed before the rest.
SERVICES = (
    ServiceSpec(
        "connector",
        "reads relays and sends what they have to `raw.bundles`",
        "producers.connector.service:ConnectorService",
        KAFKA,  # it compares with the archive where the settings name one, and reads all the same where they do not
        stop=StopTimes(told_at_s=0.0, killed_at_s=4.0),
    ),
    ServiceSpec(
        "processor",
        "validates input from relays and files, and sends it to `events`, `sightings`, `quarantine` and `rejections`",
        "processors.service:ProcessorService",
        KAFKA,
        stop=StopTimes(told_at_s=4.0, killed_at_s=6.5),
        reads=Reading(("raw.bundles",), "kafka", lambda settings: settings.processor.group_id, "validating"),
    ),
    ServiceSpec(
        "registry",
        "decides which of the relays that are found or wanted are read (`relays`, `relays.candidates`), and folds "
        "probes into `relays.health`",
        "processors.registry.service:RegistryService",
        KAFKA,
        stop=StopTimes(told_at_s=0.0, killed_at_s=6.5),
        discovers=True,
        reads=Reading(("relays.found", "raw.probes"), "kafka", lambda settings: settings.registry.group_id),
    ),
    ServiceSpec(
        "sink",
        "writes `events`, `sightings`, `coverage`, `relays`, and probes, documents and health of relays to PostgreSQL",
        "sinks.service:SinkService",
        BOTH,
        stop=StopTimes(told_at_s=6.5, killed_at_s=9.0),
        reads=Reading(
            ("events", "sightings", "coverage", "relays", "raw.probes", "relays.documents", "relays.health"),
            "postgres",
            lambda settings: settings.sink.group_id,
            "archiving",
        ),
    ),
    ServiceSpec(
        "janitor",
        "deletes bundles that were validated and are older than `kafka.bundles_keep_days`; `topics trim --every`",
        "bigbrotr.retention.janitor:Janitor",
        KAFKA,
    ),
    ServiceSpec(
        "seeder",
        "publishes the list of seeds (`seeder.list`) to `relays.commands` and `relays.found`, once per content",
        "producers.seeding.service:SeederService",
        KAFKA,
        stop=StopTimes(told_at_s=0.0, killed_at_s=6.5),
        discovers=True,
    ),
    ServiceSpec(
        "finder",
        "asks HTTP APIs (`finder.sources`) for relays and sends what is new to `relays.found`",
        "producers.finding.service:FinderService",
        KAFKA,
        stop=StopTimes(told_at_s=0.0, killed_at_s=6.5),
        discovers=True,
    ),
    ServiceSpec(
        "prober",
        "probes the relays of the registry by a schedule, and writes `raw.probes` and `relays.documents`",
        "producers.prober.service:ProberService",
        KAFKA,
        stop=StopTimes(told_at_s=0.0, killed_at_s=6.5),
        discovers=True,
    ),
    ServiceSpec(
        "api",
        "serves the archive: REST for programs, and a read-only relay for Nostr clients",
        "api.service:ApiService",
        BOTH,
        stop=StopTimes(told_at_s=0.0, killed_at_s=6.5),
        serves=True,
    ),
)

BY_NAME: Mapping[str, ServiceSpec] = {spec.name: spec for spec in SERVICES}

STOP_TIMES: Mapping[str, StopTimes] = {spec.name: spec.stop for spec in SERVICES if spec.stop is not None}
"""Of the services that `run` and `demo` start, in the order in which they are stopped."""

FLOW = tuple(name for name in STOP_TIMES if not BY_NAME[name].discovers and not BY_NAME[name].serves)
"""Those that read relays and archive what they have."""
DISCOVERY = tuple(name for name in STOP_TIMES if BY_NAME[name].discovers)
"""Those that find relays, too, and follow what is known of them."""
SERVING = tuple(name for name in STOP_TIMES if BY_NAME[name].serves)
"""Those that serve what is archived."""

READINGS: Mapping[str, Reading] = {spec.name: spec.reads for spec in SERVICES if spec.reads is not None}
"""Of the services that have a lag."""


def readers_of(topic: str) -> list[str]:
    """The services that read a topic (without the prefix) to its end."""
    return [name for name, reading in READINGS.items() if topic in reading.topics]
