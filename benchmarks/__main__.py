"""Lifeboat by itself: `make bench`, some three minutes."""

import contextlib
import os
import tempfile
from pathlib import Path

from benchmarks import reload, starting, wrk
from benchmarks.results import machine, write_section
from benchmarks.serving import Serving
from benchmarks.training.table import write_table
from tests.support.processes import Stack

_TRAINING_ROWS = 300_000
"""Enough for a run that outlasts the load it accompanies."""


def main() -> None:
    wrk.require_tools()
    all_cores = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as ends:
        folder = Path(name)
        data = folder / "training.csv"
        write_table(data, rows=_TRAINING_ROWS)
        # Redis and the worker, which inherit it, stay off the core of the API.
        os.sched_setaffinity(0, {int(wrk.CORE)})
        (folder / "serving").mkdir()
        stack = Stack(folder / "serving", training_data=str(data))
        ends.callback(stack.end)
        with contextlib.ExitStack() as serving_ends:
            serving = Serving(stack, serving_ends)
            rates, rate = serving.rates()
            print(rates, flush=True)
            fairness = serving.fairness()
            print(fairness, flush=True)
            steadiness = serving.steadiness(rate)
            print(steadiness, flush=True)
        stack.settings.clear()
        os.sched_setaffinity(0, all_cores)
        models = (stack.models_dir, stack.redis.url, stack.folder)
        costs = [starting.start_up(*models), starting.processes(*models)]
        print("\n\n".join(costs), flush=True)
        (folder / "reload").mkdir()
        reloaded = str(reload.measure(folder / "reload"))
        print(reloaded, flush=True)
    steady = _STEADY.format(order=_ORDER[wrk.goes_first()])
    write_section(
        "bench",
        "\n\n".join(
            [_HOW, rates, _FAIR, fairness, steady, steadiness, _COSTS, *costs, _RELOAD, reloaded]
        ),
    )


_HOW = f"""\
`make bench`; {machine()}, {wrk.version()}.

One API process runs on one core, and `wrk` on the other; the figures are medians of interleaved
rounds. The no-ops are servers on the same uvicorn that read the body and answer with Lifeboat's
bytes; FastAPI's shows what a route that does nothing costs, and the bare ASGI application the most
that the server can answer by way of ASGI. 'Tensors' are requests in the Open Inference Protocol.
Requests with 10,000 passengers come on 4 connections, others on 16."""

_FAIR = """\
One client sends single passengers on 4 connections, a few milliseconds apart, while another client
sends 10,000 passengers at a time to the same process without a pause:"""

_STEADY = """\
Single passengers come at half the highest rate, from 64 connections. The training run and the load
share the other core, {order}:"""
_ORDER = {
    True: "and the load goes first there, so that its own waiting does not count as the server's",
    False: "and the load at times waits for the run, which counts as latency here, because this "
    "user may not give the load real-time priority",
}

_COSTS = """\
The API has both cores, which it shares with `wrk` here. Memory is resident memory, shared libraries
included. The loads are requests with 10,000 passengers on 16 connections, then with 1:"""

_RELOAD = """\
Time from the change of the version key in Redis, as a client sees it:"""


if __name__ == "__main__":
    main()
