"""How many jobs wait, and how long those took that have ended: what `/metrics` shows of jobs.

Workers have no HTTP and come and go, so the durations are counted in Redis, by the very step that
ends a job: each job once, over all workers and their restarts. A Redis that was emptied counts from
nothing, which Prometheus takes for the restart that it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

OUTCOMES = ("promoted", "rejected", "failed", "cancelled")

_BOUNDS = ("1", "2.5", "5", "10", "30", "60", "120", "300", "600", "1800", "3600")
"""Seconds, as they are written in Redis."""
_MORE = "+Inf"
_SUM = "sum"

# By the clock of Redis, which is one, where workers have one each. A job that was cancelled before
# it started took no time.
COUNT_DURATION = f"""
local function clock()
  local time = redis.call('TIME')
  return time[1] + time[2] / 1000000
end

local function count_duration(outcome)
  local started = tonumber(field('started_seconds'))
  local seconds = started and math.max(0, clock() - started) or 0
  local bucket = '{_MORE}'
  for _, bound in ipairs({{'{"', '".join(_BOUNDS)}'}}) do
    if seconds <= tonumber(bound) then
      bucket = bound
      break
    end
  end
  redis.call('HINCRBY', durations, outcome .. ':' .. bucket, 1)
  redis.call('HINCRBYFLOAT', durations, outcome .. ':{_SUM}', string.format('%.3f', seconds))
end
"""
"""Lua for `job_scripts`, which has `field` and `durations`. The hash at `durations` has the fields
`<outcome>:<bound>`, each a number of jobs that is not in the field of a smaller bound, and
`<outcome>:sum`."""


@dataclass(frozen=True, slots=True)
class Duration:
    """Of the jobs with one outcome: from their first start to their end."""

    at_most: dict[float, int]
    """Seconds -> the number of jobs that took no longer."""
    count: int
    seconds: float
    """Of all together."""


@dataclass(frozen=True, slots=True)
class JobStatistics:
    queued: int
    durations: dict[str, Duration]
    """By outcome."""


def durations(fields: Mapping[str, str]) -> dict[str, Duration]:
    """The hash that `COUNT_DURATION` writes, as numbers; all outcomes, also those yet to come."""
    return {outcome: _duration(outcome, fields) for outcome in OUTCOMES}


def _duration(outcome: str, fields: Mapping[str, str]) -> Duration:
    counts = [int(fields.get(f"{outcome}:{bound}", 0)) for bound in (*_BOUNDS, _MORE)]
    *at_most, count = accumulate(counts)
    return Duration(
        at_most=dict(zip(map(float, _BOUNDS), at_most, strict=True)),
        count=count,
        seconds=float(fields.get(f"{outcome}:{_SUM}", 0)),
    )
