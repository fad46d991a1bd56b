"""What a training run costs as its table grows: `make bench-training`, some five minutes."""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results import machine, short, table, write_section
from benchmarks.training import chart
from benchmarks.training.measured_run import Cost
from benchmarks.training.table import write_table
from shared.jobs.job import Stage
from tests.support.processes import ROOT

_ROWS = (1_000, 10_000, 100_000, 1_000_000)
_ROUNDS = 3

_HOW = f"""\
`make bench-training`; {machine()}.

Each run trains on the 891 passengers resampled with noise, in a process of its own on both cores;
the figures are medians of {_ROUNDS} runs. Memory is the most that was resident in a stage,
libraries included."""


def main() -> None:
    costs = {rows: _median([_run(rows) for _ in range(_ROUNDS)]) for rows in _ROWS}
    text = "\n\n".join([_HOW, _seconds(costs), _memory(costs)])
    write_section("bench-training", text)
    chart.draw(costs)
    print(text)


def _run(rows: int) -> Cost:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "table.csv", rows=rows)
        run = subprocess.run(
            [
                *(sys.executable, "-m", "benchmarks.training.measured_run"),
                *(str(folder / "table.csv"), str(folder / "models")),
            ],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    cost = Cost(**json.loads(run.stdout))
    print(f"{rows:,} rows: {sum(cost.seconds.values()):.1f} s", flush=True)
    return cost


def _median(costs: Sequence[Cost]) -> Cost:
    def of_stages(field: str) -> dict[str, float]:
        return {
            stage: statistics.median(getattr(cost, field)[stage] for cost in costs)
            for stage in Stage
        }

    return Cost(
        seconds=of_stages("seconds"),
        peak_mb=of_stages("peak_mb"),
        longest_silence=statistics.median(cost.longest_silence for cost in costs),
        rows_compared=costs[0].rows_compared,
    )


def _seconds(costs: dict[int, Cost]) -> str:
    head = ["seconds for rows", *Stage, "whole run", "longest without progress", "rows compared"]
    lines = [
        [
            f"{rows:,}",
            *(short(cost.seconds[stage]) for stage in Stage),
            short(sum(cost.seconds.values())),
            short(cost.longest_silence),
            f"{cost.rows_compared:,}",
        ]
        for rows, cost in costs.items()
    ]
    return table(head, lines)


def _memory(costs: dict[int, Cost]) -> str:
    lines = [
        [f"{rows:,}", *(short(cost.peak_mb[stage]) for stage in Stage)]
        for rows, cost in costs.items()
    ]
    return table(["peak MB for rows", *Stage], lines)


if __name__ == "__main__":
    main()
