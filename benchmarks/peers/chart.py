"""The comparison as a picture, for the README."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from benchmarks import wrk
from benchmarks.peers.plan import CASES
from benchmarks.results import passengers, short
from tests.support.processes import ROOT

CHART = ROOT / "docs" / "how-fast.png"

_OURS, _PEER, _LIMIT = "#0072b2", "#999999", "#e5c07b"
"""The first two from Okabe and Ito's palette for colour-blind readers."""
_LIMITS = ("FastAPI no-op",)
_LEFT_OUT = ("bare ASGI no-op",)


def draw(measured: Mapping[tuple[str, int], wrk.Load], path: Path = CHART) -> None:
    """A panel per number of passengers, a bar per way to ask; each panel has a scale of its own."""
    names = [name for name in dict.fromkeys(name for name, _ in measured) if name not in _LEFT_OUT]
    figure, panels = plt.subplots(
        1, len(CASES), figsize=(10, 0.36 * len(names) + 1.1), sharey=True, layout="constrained"
    )
    for panel, case in zip(panels, CASES, strict=True):
        rates = [measured[name, case.rows].requests_per_second for name in names]
        _bars(panel, names, rates)
        panel.set_title(f"{passengers(case.rows)} per request", fontsize=10)
    panels[0].invert_yaxis()
    figure.supxlabel("requests/s, one process on one core (longer is better)", fontsize=9)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _bars(panel: Axes, names: list[str], rates: list[float]) -> None:
    bars = panel.barh(names, rates, color=[_colour(name) for name in names])
    panel.bar_label(bars, [short(rate) for rate in rates], padding=3, fontsize=8)
    panel.set_xlim(right=max(rates) * 1.25)
    panel.set_xticks([])
    panel.tick_params("y", length=0, labelsize=9)
    panel.spines[["top", "right", "bottom"]].set_visible(False)


def _colour(name: str) -> str:
    if name.startswith("Lifeboat"):
        return _OURS
    return _LIMIT if name in _LIMITS else _PEER
