"""A process that holds a stack until its standard input ends, for tests that kill it: python -m … DATA_DIR SERVER…"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from deploy.embedded.stack import running_stack


def main(data_dir: str, *names: str) -> None:
    """Print how to reach the servers as one line of JSON, then wait."""
    with running_stack(Path(data_dir), names=names) as servers:
        assert servers.dsn is not None
        broker = servers.broker.secret_text() if servers.broker is not None else None
        print(json.dumps([broker, servers.dsn.get_secret_value()]), flush=True)  # noqa: T201 - what the test waits for
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
