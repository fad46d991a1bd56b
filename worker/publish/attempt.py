"""An attempt at a run that no job stands for: it says on standard error how far it is."""

import sys

from shared.jobs.job import Stage


class PlainAttempt:
    """What the stages ask of an attempt, for a run without Redis."""

    def __init__(self, job_id: str, forced: bool) -> None:
        self.job_id = job_id
        self._forced = forced
        self._stage: Stage | None = None

    def report(self, stage: Stage, progress: float) -> None:
        """Say which stage begins."""
        if stage is not self._stage:
            self._stage = stage
            print(f"{progress:4.0%}  {stage}", file=sys.stderr, flush=True)

    def choose_version(self, proposed: str) -> str:
        return proposed

    def is_forced(self) -> bool:
        return self._forced
