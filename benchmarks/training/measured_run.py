"""One training run in a process of its own, and what each stage took.

`python -m benchmarks.training.measured_run TABLE MODELS_DIR` prints a `Cost` as JSON.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from shared.jobs.job import Stage
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from worker.definition.definition import read
from worker.training.served import Served
from worker.training.stages import run_stages

_TITANIC = Path(__file__).parents[2] / "examples" / "titanic"
_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_RESET_PEAK = "5"
"""See proc(5): sets the peak of resident memory back to what is resident now."""


@dataclass(frozen=True)
class Cost:
    seconds: dict[str, float]
    """Stage -> how long it took."""
    peak_mb: dict[str, float]
    """Stage -> most memory that was resident in it, in MB."""
    longest_silence: float
    """Most seconds for which the progress stood still."""
    rows_compared: int
    """By the parity proof."""


class MeasuredRun:
    """Stand in for the attempt at a job, with a stop-watch instead of a record."""

    job_id = "0" * 32

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.peak_mb: dict[str, float] = {}
        self.longest_silence = 0.0
        self._stage: Stage | None = None
        self._began = self._reported = time.monotonic()
        _CLEAR_REFS.write_text(_RESET_PEAK)

    def report(self, stage: Stage, progress: float) -> None:
        now = time.monotonic()
        self.longest_silence = max(self.longest_silence, now - self._reported)
        self._reported = now
        if stage is not self._stage:
            self.end_stage()
            self._stage, self._began = stage, now

    def end_stage(self) -> None:
        if self._stage is not None:
            self.seconds[self._stage] = time.monotonic() - self._began
            self.peak_mb[self._stage] = _peak_mb()
            _CLEAR_REFS.write_text(_RESET_PEAK)

    def choose_version(self, proposed: str) -> str:
        return proposed

    def is_forced(self) -> bool:
        return False


def _peak_mb() -> float:
    (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def main() -> None:
    table, models_dir = sys.argv[1:]
    run, store = MeasuredRun(), ModelStore(LocalStorage(Path(models_dir)))
    store.create()
    manifest = run_stages(
        run,
        definition=read(_TITANIC),
        training_data=table,
        model_store=store,
        served=Served,
        promotion_tolerance=0.01,
    )
    run.end_stage()
    cost = Cost(run.seconds, run.peak_mb, run.longest_silence, manifest.parity.rows)
    print(json.dumps(asdict(cost)))


if __name__ == "__main__":
    main()
