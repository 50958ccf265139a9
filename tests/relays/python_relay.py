"""PyPI's `nostr-relay` (SQLAlchemy on SQLite, served by uvicorn) as a child process: a second opinion to LocalRelay."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.embedded.ports import choose

# It does not watch the process that starts it: this ends it with that one.
PROGRAM = (
    "import os; from core.parent import watch_parent; watch_parent({parent}, lambda: os._exit(1)); "
    "from nostr_relay.cli import main; main()"
)
START_S = 60.0  # its imports and migrations take 2 s on an idle machine
STOP_S = 10.0

CONFIG = """
storage:
  sqlalchemy.url: sqlite+aiosqlite:///{folder}/relay.sqlite3
  validators: [nostr_relay.validators.is_signed]
verification: {{nip05_verification: disabled}}
gunicorn: {{bind: "127.0.0.1:{port}"}}
authentication: {{enabled: false}}
max_event_size: 1000000
subscription_limit: 100
"""


@contextmanager
def python_relay(folder: Path) -> Iterator[str]:
    """Run a relay whose database lies in `folder`; yields its URL once it listens."""
    port = choose(set())  # where no client's socket lands while the relay starts
    config = folder / "relay.yaml"
    config.write_text(CONFIG.format(folder=folder, port=port))
    command = [
        sys.executable,
        "-c",
        PROGRAM.format(parent=os.getpid()),
        "-c",
        str(config),
        "serve",
        "--use-uvicorn",
    ]
    with (folder / "relay.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
        try:
            _wait_until_listening(process, port, folder / "relay.log")
            yield f"ws://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"nostr-relay did not start:\n{log.read_text()[-2000:]}")
