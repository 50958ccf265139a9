"""`make bench`: the pure functions, a rebuild against bare writing, then the whole pipeline, which takes the options.

All but the last goes to standard error, so that `--json` leaves one object on standard output.
"""

from __future__ import annotations

import subprocess
import sys

from tests.bench.bench_pipeline import main

FIRST = (
    "tests.bench.bench_parse",
    "tests.bench.bench_signature",
    "tests.bench.bench_discovery",
    "tests.bench.bench_rebuild",
)

if __name__ == "__main__":
    if "--help" not in sys.argv:
        for module in FIRST:
            subprocess.run([sys.executable, "-m", module], stdout=sys.stderr, check=True)
    main(prog_name="python -m tests.bench")
