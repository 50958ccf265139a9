"""How relays are probed, from what probers say of themselves in /status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from bigbrotr.status.snapshot import Probing


def probing(services: Iterable[dict[str, Any]]) -> Probing | None:
    """Add up what all probers say; None where there is none.

    Args:
        services: the details of /status of each service; only probers have some of probes.
    """
    told = [details["probes"] for details in services if "probes" in details]
    if not told:
        return None
    verdicts: Counter[str] = Counter()
    for each in told:
        verdicts.update(each["verdicts"])
    return Probing(
        dict(verdicts),
        under_way=sum(each["under_way"] for each in told),
        due=sum(each["due"] for each in told),
        late_s=max(each["late_s"] for each in told),
    )
