"""The counts of requests, in plain integers until they are flushed.

To count in prometheus_client takes a lock, a look at the process id and a write to a mapped file:
2 us for the counter of a request and 5 us for its histogram, on two slow cores. A note takes 0.3.
"""

import threading
from bisect import bisect_left

from prometheus_client import Counter, Histogram

_Key = tuple[str, str, int]


class Series:
    """The requests of one method, route and status, by how long they took."""

    __slots__ = ("_bounds", "by_duration", "seconds")

    def __init__(self, bounds: list[float]) -> None:
        self._bounds = bounds
        self.by_duration = [0] * len(bounds)
        """For each upper bound, the requests that took at most as long, and longer than the bound
        before."""
        self.seconds = 0.0

    def note(self, seconds: float) -> None:
        """Note a request that took so long. On the event loop alone: it takes no lock."""
        self.by_duration[bisect_left(self._bounds, seconds)] += 1
        self.seconds += seconds


class RequestCounts:
    """Counts requests: notes each, and fills the metrics later."""

    def __init__(self, requests: Counter, durations: Histogram) -> None:
        self._requests = requests
        self._durations = durations
        self._series: dict[_Key, Series] = {}
        self._flushed: dict[_Key, Series] = {}
        self._flushing = threading.Lock()

    def series(self, method: str, route: str, status: int) -> Series:
        """Return where to note requests, also for later ones."""
        key = method, route, status
        found = self._series.get(key)
        if found is None:
            found = self._series[key] = self._new(route)
        return found

    def _new(self, route: str) -> Series:
        return Series(self._durations.labels(route)._upper_bounds)

    def flush(self) -> None:
        """Count in the metrics what was noted until now. Any thread may call it."""
        with self._flushing:
            for key, noted in self._series.copy().items():
                self._flush(key, noted)

    def _flush(self, key: _Key, noted: Series) -> None:
        method, route, status = key
        if key not in self._flushed:
            self._flushed[key] = self._new(route)
        flushed = self._flushed[key]
        # What is noted meanwhile has its turn at the next flush: nothing noted is changed here.
        by_duration, seconds = noted.by_duration.copy(), noted.seconds
        new = [now - before for now, before in zip(by_duration, flushed.by_duration, strict=True)]
        if not any(new):
            return
        durations = self._durations.labels(route)
        requests = self._requests.labels(method, route, status)
        before = flushed.seconds
        flushed.by_duration, flushed.seconds = by_duration, seconds
        for bucket, count in zip(durations._buckets, new, strict=True):
            if count:
                bucket.inc(count)
        durations._sum.inc(seconds - before)
        requests.inc(sum(new))
