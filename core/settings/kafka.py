"""The settings of Kafka: where it is, how its clients prove who they are, how its topics are made and written to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from core.settings.errors import key_and_variable
from core.settings.groups import MIB, Group
from core.settings.types import BootstrapServers, Password, power_of_two

MOST_PARTITIONS = 1024
"""Each is a file handle or three in the broker and a lane in a processor; a cluster with more needs another design."""


class KafkaSettings(Group):
    """How to reach Kafka, how its topics are made, and how producers batch."""

    bootstrap_servers: BootstrapServers | None = Field(
        None, description="`host:port` of one or more brokers, separated by commas; unset: the embedded Kafka"
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="SASL: with user name and password; SSL: encrypted, the broker's certificate checked"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN", description="How the password is proven; PLAIN sends it, so take SASL_SSL for it across a network"
    )
    username: str | None = Field(
        None, min_length=1, pattern=r"^[^\x00]*$", description="User name, where the protocol has SASL in it"
    )
    password: Password | None = Field(None, description="The password of that user")
    ssl_cafile: Path | None = Field(
        None, description="File (PEM) with the authorities that the broker's certificate may be of; unset: the system's"
    )
    ssl_certfile: Path | None = Field(None, description="File (PEM) with our certificate, where brokers ask for one")
    ssl_keyfile: Path | None = Field(None, description="File (PEM) with its key; unset: it is in `ssl_certfile`")
    ssl_password: Password | None = Field(None, description="Password of that key, where it is encrypted")
    topic_prefix: str = Field(
        "nostr.", pattern=r"^[A-Za-z0-9._-]{0,100}$", description="Stands before the name of every topic"
    )
    partitions: Annotated[int, power_of_two(MOST_PARTITIONS)] = Field(
        16, description="Partitions of every topic, a power of two; fixed once the topics exist"
    )
    replication_factor: int = Field(1, ge=1, le=16, description="Copies of every partition in the cluster")
    compression: Literal["none", "lz4", "zstd", "snappy", "gzip"] = Field(
        "zstd", description="Codec of what is produced; aiokafka's lz4 costs five times the time for half the ratio"
    )
    linger_ms: int = Field(
        5, ge=0, le=10_000, description="How long a producer waits, in ms, for more records before it sends a batch"
    )
    max_batch_bytes: int = Field(
        MIB // 2,
        ge=16_384,
        le=1_000_000,  # a batch must fit into the smallest max.message.bytes of a topic, 1 MiB
        description="A producer's batch for one partition, in bytes",
    )
    in_flight_bytes: int = Field(
        32 * MIB, ge=MIB, description="Unacknowledged bytes of one producer, beyond which it takes no more"
    )
    session_timeout_s: float = Field(
        15.0,
        ge=6.0,  # Kafka's group.min.session.timeout.ms
        le=1800.0,  # Kafka's group.max.session.timeout.ms
        description="A consumer that is not heard of for this long, in seconds, is dead, and others get its partitions",
    )
    # A wrong policy is noticed within a week, even over holidays, and `reprocess` corrects it as far back as this.
    bundles_keep_days: int = Field(
        7, ge=0, le=3650, description="Days that `topics trim` keeps validated bundles, for `reprocess`; 0: none"
    )

    @property
    def uses_sasl(self) -> bool:
        """Whether clients give a user name and a password."""
        return self.security_protocol in {"SASL_PLAINTEXT", "SASL_SSL"}

    @property
    def uses_tls(self) -> bool:
        """Whether connections are encrypted, and the broker's certificate is checked."""
        return self.security_protocol in {"SSL", "SASL_SSL"}

    @model_validator(mode="after")
    def _consistent_sasl(self) -> KafkaSettings:
        for key in ("username", "password"):
            given = getattr(self, key) is not None
            if given and not self.uses_sasl:
                raise ValueError(
                    f"has {_name(key)}, which no client gives by {_name('security_protocol')} "
                    f"{self.security_protocol}: set that to SASL_SSL or SASL_PLAINTEXT, or leave {key} out"
                )
            if self.uses_sasl and not given:
                raise ValueError(
                    f"has {_name('security_protocol')} {self.security_protocol} without {_name(key)}: give the user "
                    "name and the password that the brokers know, or take SSL or PLAINTEXT"
                )
        return self

    @model_validator(mode="after")
    def _consistent_tls(self) -> KafkaSettings:
        for key in ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_password"):
            if getattr(self, key) is not None and not self.uses_tls:
                raise ValueError(
                    f"has {_name(key)}, which is of no use with {_name('security_protocol')} {self.security_protocol}: "
                    f"set that to SSL or SASL_SSL, or leave {key} out"
                )
        for key, needed in (("ssl_keyfile", "ssl_certfile"), ("ssl_password", "ssl_certfile")):
            if getattr(self, key) is not None and getattr(self, needed) is None:
                raise ValueError(f"has {_name(key)} without {_name(needed)}: name the certificate that it belongs to")
        return self


def _name(key: str) -> str:
    return key_and_variable(("kafka", key))
