"""The section of `benchmarks/results.md` that compares the servers."""

from collections.abc import Mapping, Sequence

from benchmarks import wrk
from benchmarks.peers.plan import CASES, ROUNDS, WARM_UP_SECONDS
from benchmarks.results import machine, passengers, short
from benchmarks.server import CORE, Server

Measured = dict[tuple[str, int], wrk.Load]
"""Name of the call and number of rows -> medians over the rounds."""

_OURS = "Lifeboat"
_ALIKE = [(f"Lifeboat, {form}", f"MLServer, {form}") for form in ("tensors", "binary tensors")]

_HOW = f"""\
Each server has one worker process, pinned with all its helpers to core {CORE} of a machine whose
cores are shared and noisy; `wrk` has core {wrk.CORE}. The servers take turns, {ROUNDS} rounds over,
each time after {WARM_UP_SECONDS} s of warm-up; the figures are medians of the rounds. A p99
of fewer than 100 requests is about the slowest of them.

All serve the same fitted pipeline for the same complete passengers, and were checked against the
pipeline's probabilities. All except Lifeboat run scikit-learn, once per request
(`predict_proba`), and do not batch. All have uvloop and httptools; access logs are off. 'Tensors'
are columns, in the Open Inference Protocol; every other request holds a JSON object per passenger.
The no-ops read the body and answer with Lifeboat's bytes."""


def section(
    servers: Sequence[Server],
    versions: Mapping[str, Mapping[str, str]],
    measured: Measured,
    refusals: Mapping[str, str],
) -> str:
    refused = [f"{name}: refused ({how}), so not measured." for name, how in refusals.items()]
    parts = [
        f"`make bench-peers`; {machine()}, {wrk.version()}.",
        _HOW,
        *(_table(measured, case.rows) for case in CASES),
        *refused,
        _ratios(measured),
        *(
            f"{name}: {', '.join(f'{package} {number}' for package, number in found.items())}."
            for name, found in versions.items()
        ),
        _commands(servers),
    ]
    return "\n\n".join(parts)


def _table(measured: Measured, rows: int) -> str:
    lines = [
        f"| {passengers(rows)} | requests/s | passengers/s | p50 ms | p99 ms |",
        "|---|---:|---:|---:|---:|",
    ]
    for (name, count), load in measured.items():
        if count == rows:
            rate = load.requests_per_second
            cells = [name, *map(short, (rate, rate * rows, load.p50_ms, load.p99_ms))]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _ratios(measured: Measured) -> str:
    """How many requests Lifeboat answers in the time in which another answers one."""
    others = dict.fromkeys(name for name, _ in measured if not name.startswith(_OURS))
    pairs = [(_OURS, other) for other in others]
    pairs += [pair for pair in _ALIKE if all((name, CASES[0].rows) in measured for name in pair)]
    lines = [
        f"| requests/s | {' | '.join(passengers(case.rows) for case in CASES)} |",
        "|---|" + "---:|" * len(CASES),
    ]
    for ours, other in pairs:
        rates = [
            [measured[name, case.rows].requests_per_second for name in (ours, other)]
            for case in CASES
        ]
        cells = [short(our_rate / other_rate) for our_rate, other_rate in rates]
        lines.append(f"| {ours} : {other} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _commands(servers: Sequence[Server]) -> str:
    loads = [
        " ".join(wrk.command("URL", "SCRIPT", connections=case.connections, seconds=case.seconds))
        for case in CASES
    ]
    commands = [server.shown_command() for server in servers]
    return "\n".join(["```sh", *commands, *dict.fromkeys(loads), "```"])
