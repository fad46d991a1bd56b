"""The numbers that a regression predicts, counted in the quantiles of its training target.

A retrain on another table has other quantiles, and a roll back may have another target. The counts
of two sets of buckets would be nonsense in one series, so each set has series of its own. A file of
prometheus_client keeps a series for ever, so these counts are kept in small files of their own, and
only the sets that were served last are shown.
"""

import hashlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import accumulate
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

SETS = 4
"""Sets of buckets that are shown: those that were taken into service last."""
_KEPT = 2 * SETS
"""Sets that a process keeps: a roll back finds its counts, also if it comes some swaps later."""
_ENDED = 0
"""In place of a process id: all processes that have ended."""

log = logging.getLogger(__name__)


class ValueCounts(msgspec.Struct):
    """The counts of one set of buckets; the last count is of the numbers above every bound."""

    target: str
    bounds: tuple[float, ...]
    since: float
    """When a process took a version with this set into service, as Unix time."""
    counts: list[int]
    sum: float = 0.0

    @property
    def buckets(self) -> str:
        """Return the name of the set: the same for the same target and bounds, everywhere."""
        named = repr((self.target, self.bounds)).encode()
        return hashlib.sha256(named).hexdigest()[:8]

    @property
    def at_most(self) -> list[tuple[str, float]]:
        """Return how many numbers are at most as large as each bound."""
        names = [f"{bound:g}" for bound in self.bounds] + ["+Inf"]
        return list(zip(names, map(float, accumulate(self.counts)), strict=True))

    def observe_all(self, values: NDArray[np.float32]) -> None:
        """Count numbers of shape (n,). A number on a bound counts as below it."""
        bounds = np.array(self.bounds, values.dtype)
        found = np.bincount(np.searchsorted(bounds, values), minlength=len(self.counts))
        self.counts = [one + more for one, more in zip(self.counts, found.tolist(), strict=True)]
        # One number that is not finite would make the sum useless until the next restart.
        self.sum += float(values[np.isfinite(values)].sum(dtype=np.float64))

    def add(self, other: "ValueCounts") -> None:
        self.since = max(self.since, other.since)
        self.counts = [one + more for one, more in zip(self.counts, other.counts, strict=True)]
        self.sum += other.sum


_DECODER = msgspec.json.Decoder(list[ValueCounts])


class Values:
    """The sets of one process, and its file of them. Any thread may call a method."""

    def __init__(self) -> None:
        self._sets: dict[str, ValueCounts] = {}
        self._changing = threading.Lock()
        self._failed = False

    def begin(self, target: str, quantiles: Iterable[float]) -> ValueCounts:
        """Return the counts for a version that is loaded now, with its series at 0 if it is new."""
        # Six digits, as many as the name of a bucket has: no two buckets have the same name.
        rounded = {float(f"{bound:g}") for bound in quantiles if math.isfinite(bound)}
        bounds = tuple(sorted(rounded))
        new = ValueCounts(target, bounds, time.time(), [0] * (len(bounds) + 1))
        with self._changing:
            known = self._sets.setdefault(new.buckets, new)
            known.since = new.since
            for left in _latest(self._sets.values())[_KEPT:]:
                del self._sets[left.buckets]
        return known

    def count(self, counts: ValueCounts, values: NDArray[np.float32]) -> None:
        with self._changing:
            counts.observe_all(values)

    def own(self) -> list[ValueCounts]:
        """Return the sets of this process that are shown."""
        with self._changing:
            return _latest(self._sets.values())[:SETS]

    def save(self, folder: Path, pid: int) -> None:
        """Write this process's counts to its file."""
        with self._changing:
            try:
                if self._sets:
                    _write(_file(folder, pid), self._sets.values())
                self._failed = False
            except OSError as error:
                # Once, and not at every count, while a volume is full.
                if not self._failed:
                    log.warning("lifeboat_predicted_value stays behind: %s", error)
                self._failed = True


def all_of(folder: Path) -> list[ValueCounts]:
    """Return the counts of all processes together: of the sets that were taken into service last.

    The caller holds the lock of the folder.
    """
    return _latest(_together(folder.glob("values_*")))[:SETS]


def add_up_the_ended(folder: Path, is_alive: Callable[[int], bool]) -> None:
    """Move the counts of processes that have ended into one file."""
    ended = _file(folder, _ENDED)
    files = [file for file in folder.glob("values_*") if file != ended]
    left = [file for file in files if not is_alive(int(file.name.removeprefix("values_")))]
    if not left:
        return
    _write(ended, _latest(_together([ended, *left]))[:_KEPT])
    for file in left:
        file.unlink(missing_ok=True)


def _together(files: Iterable[Path]) -> list[ValueCounts]:
    found: dict[str, ValueCounts] = {}
    for file in files:
        # A process that has just ended, or a file that a full volume left empty.
        with suppress(FileNotFoundError, msgspec.DecodeError):
            for one in _DECODER.decode(file.read_bytes()):
                if one.buckets in found:
                    found[one.buckets].add(one)
                else:
                    found[one.buckets] = one
    return list(found.values())


def _latest(sets: Iterable[ValueCounts]) -> list[ValueCounts]:
    return sorted(sets, key=lambda one: one.since, reverse=True)


def _write(file: Path, sets: Iterable[ValueCounts]) -> None:
    # A reader gets the old counts or the new counts, whole.
    new = file.with_name(f".{file.name}")
    new.write_bytes(msgspec.json.encode(list(sets)))
    new.replace(file)


def _file(folder: Path, pid: int) -> Path:
    return folder / f"values_{pid}"
