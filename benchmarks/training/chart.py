"""The cost of training as a picture, for the README."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from benchmarks.training.measured_run import Cost
from shared.jobs.job import Stage
from tests.support.processes import ROOT

CHART = ROOT / "docs" / "training-cost.png"

_COLOURS = {
    Stage.LOAD: "#56b4e9",
    Stage.FIT: "#e69f00",
    Stage.EVALUATE: "#0072b2",
    Stage.PLOT: "#d55e00",
    Stage.EXPORT: "#cc79a7",
    Stage.VERIFY: "#009e73",
    Stage.PUBLISH: "#999999",
}
"""From Okabe and Ito's palette for colour-blind readers."""


def draw(costs: Mapping[int, Cost], path: Path = CHART) -> None:
    """Seconds and peak memory of each stage, over the rows of the table; both axes logarithmic."""
    figure, (time, memory) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    rows = list(costs)
    for stage in Stage:
        colour = _COLOURS[stage]
        time.plot(rows, [c.seconds[stage] for c in costs.values()], "o-", color=colour, label=stage)
        memory.plot(rows, [c.peak_mb[stage] for c in costs.values()], "o-", color=colour)
    whole = [sum(cost.seconds.values()) for cost in costs.values()]
    time.plot(rows, whole, "o-", color="black", linewidth=2, label="whole run")
    for count, seconds in zip(rows, whole, strict=True):
        time.annotate(
            f"{seconds:.0f} s", (count, seconds), (0, 6), textcoords="offset points", ha="center"
        )
    time.set(xscale="log", yscale="log", xlabel="rows of training", ylabel="seconds")
    time.set_ylim(top=3 * max(whole))
    memory.set(xscale="log", xlabel="rows of training", ylabel="peak memory, MB")
    memory.set_ylim(bottom=0)
    for panel in (time, memory):
        panel.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right center", frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)
