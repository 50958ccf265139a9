"""A copy of deploy/ as an operator would make it: with its own project name, ports, secrets and `.env`."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from pydantic import SecretStr

from core.settings import KafkaSettings, PostgresSettings, Settings
from deploy.embedded.ports import choose
from tests.containers.our_images import ROOT, demo_image, our_image
from tests.containers.server_images import kafka_image, postgres_image

SECRETS = ("kafka_password", "postgres_password", "owner_password", "writer_password", "reader_password")


class Recipe:
    """The files of one project. `variables` go into its `.env`."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        for file in (ROOT / "deploy").iterdir():
            if file.is_file() and file.name != ".env":
                shutil.copy(file, folder)
        self.kafka_port = choose(set())
        self.postgres_port = choose({self.kafka_port})
        self.api_port = choose({self.kafka_port, self.postgres_port})
        self.project = f"bigbrotr-test-{secrets.token_hex(4)}"
        self.variables = {
            "COMPOSE_PROJECT_NAME": self.project,
            "KAFKA_IMAGE": kafka_image().image,
            "POSTGRES_IMAGE": postgres_image().image,
            "BIGBROTR_IMAGE": our_image(),
            "DEMO_IMAGE": demo_image(),
            "KAFKA_PORT": str(self.kafka_port),
            "POSTGRES_PORT": str(self.postgres_port),
            "API_PORT": str(self.api_port),
            "BIGBROTR_SETTINGS": "./demo.yaml",
            "RELAYS_OPTIONS": "--allow-private",
        }
        self.set(**variables)
        # Read in containers, by users with other numbers.
        (folder / "secrets").mkdir(mode=0o755)
        for name in SECRETS:
            path = folder / "secrets" / name
            path.write_text(f"{secrets.token_urlsafe(24)}\n")
            path.chmod(0o444)

    def set(self, **variables: str) -> None:
        """Change variables of `.env`; the next `up` makes containers anew that are another's then."""
        self.variables |= variables
        (self.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in self.variables.items()))

    def secret(self, name: str) -> str:
        """The text of a secret."""
        return (self.folder / "secrets" / name).read_text().strip()

    def settings(self, role: str) -> Settings:
        """Settings for this machine's way in, as one of PostgreSQL's roles: owner, writer, reader or postgres."""
        user = role if role == "postgres" else f"bigbrotr_{role}"
        password = self.secret(f"{role}_password")
        dsn = f"postgresql://{user}:{password}@127.0.0.1:{self.postgres_port}/bigbrotr"
        return Settings(
            kafka=KafkaSettings(
                bootstrap_servers=f"127.0.0.1:{self.kafka_port}",
                security_protocol="SASL_PLAINTEXT",
                username="bigbrotr",
                password=SecretStr(self.secret("kafka_password")),
            ),
            postgres=PostgresSettings(dsn=SecretStr(dsn)),
        )
