"""How many jobs wait, and how long the jobs that have ended took: what `/metrics` shows of jobs.

Workers have no HTTP and come and go, so Redis counts the durations. The step that ends a job counts
it (`count_duration` in `scripts/prelude.lua`): each job once, over all workers and their restarts.
After Redis was emptied the counts start from zero, which Prometheus takes for a restart.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

OUTCOMES = ("promoted", "rejected", "failed", "cancelled")

BOUNDS = ("1", "2.5", "5", "10", "30", "60", "120", "300", "600", "1800", "3600")
"""Upper bounds of the buckets: seconds, as they are written in Redis."""

_MORE = "+Inf"
_SUM = "sum"

FIELDS = [f"{outcome}:{name}" for outcome in OUTCOMES for name in (*BOUNDS, _MORE, _SUM)]
"""Of the hash in Redis."""


@dataclass(frozen=True, slots=True)
class Duration:
    """How long the jobs with one outcome took, from their first start to their end."""

    at_most: dict[float, int]
    """Seconds -> the number of jobs that took no longer."""
    count: int
    seconds: float
    """The sum over all of them."""


@dataclass(frozen=True, slots=True)
class JobStatistics:
    queued: int
    durations: dict[str, Duration]
    """By outcome."""


def durations(fields: Mapping[str, str]) -> dict[str, Duration]:
    """Return the durations that the hash in Redis holds, with zeros for an outcome not yet seen."""
    return {outcome: _duration(outcome, fields) for outcome in OUTCOMES}


def _duration(outcome: str, fields: Mapping[str, str]) -> Duration:
    counts = [int(_number(fields, f"{outcome}:{bound}")) for bound in (*BOUNDS, _MORE)]
    *at_most, count = accumulate(counts)
    return Duration(
        at_most=dict(zip(map(float, BOUNDS), at_most, strict=True)),
        count=count,
        seconds=_number(fields, f"{outcome}:{_SUM}"),
    )


def _number(fields: Mapping[str, str], name: str) -> float:
    """Return a field as a number; what somebody has put there that is not a number counts as 0."""
    try:
        found = float(fields.get(name, "0")[:40])
    except ValueError:
        return 0.0
    return found if 0 <= found < math.inf else 0.0
