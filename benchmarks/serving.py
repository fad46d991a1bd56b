"""How fast one API process on one core predicts, and what else may go on meanwhile."""

import contextlib
import statistics
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import ours, wrk
from benchmarks.results import passengers, short, table
from benchmarks.server import Call, Running
from shared.runtime.redis_keys import VERSION
from tests.support.processes import Api, Stack
from tests.support.versions import publish

_CASES = ((1, 16), (100, 16), (10_000, 4))
"""Passengers in a request, and connections."""
_NO_OPS = ("FastAPI no-op", "bare ASGI no-op")
_ROUNDS = 3
_SECONDS = 2
_STEADY_CONNECTIONS = 64
_STEADY_SECONDS = 6
_SWAP_SECONDS = 1.0


class Serving:
    """Lifeboat, with a model, and the servers that predict nothing, each alone on its core."""

    def __init__(self, stack: Stack, ends: contextlib.ExitStack) -> None:
        self.stack = stack
        self.versions = [publish(stack.models_dir) for _ in range(2)]
        stack.redis.client.set(VERSION, self.versions[0])
        self.lifeboat = Running(ours.lifeboat(stack.models_dir, stack.redis.url), stack.folder)
        ends.callback(self.lifeboat.end)
        self.lifeboat.wait()
        answers = self._answers()
        self.baselines = [
            Running(ours.baseline("fastapi", "FastAPI no-op", answers), stack.folder),
            Running(ours.baseline("bare", "bare ASGI no-op", answers), stack.folder),
        ]
        for baseline in self.baselines:
            ends.callback(baseline.end)
            baseline.wait()

    def _answers(self) -> Path:
        folder = self.stack.folder / "answers"
        folder.mkdir()
        for rows, _ in _CASES:
            answer = self.lifeboat.post(self.lifeboat.server.calls[0], rows).raise_for_status()
            (folder / f"{rows}.json").write_bytes(answer.content)
        return folder

    def rates(self) -> tuple[str, float]:
        """A table, and the requests/s of one passenger."""
        calls = [
            (one, call) for one in (self.lifeboat, *self.baselines) for call in one.server.calls
        ]
        loads: dict[tuple[str, int], list[wrk.Load]] = {}
        for _ in range(_ROUNDS):
            for rows, connections in _CASES:
                for one, call in calls:
                    load = _load(one, call, rows, connections, _SECONDS)
                    loads.setdefault((call.name, rows), []).append(load)
        rate = {what: _median(rounds, "requests_per_second") for what, rounds in loads.items()}
        lines = []
        for (name, rows), rounds in loads.items():
            per_second = rate[name, rows]
            p50, p99 = _median(rounds, "p50_ms"), _median(rounds, "p99_ms")
            ratios = [per_second / rate[no_op, rows] for no_op in _NO_OPS]
            figures = map(short, (per_second, per_second * rows, p50, p99, *ratios))
            lines.append([f"{name}, {passengers(rows)}", *figures])
        head = ["", "requests/s", "passengers/s", "p50 ms", "p99 ms"]
        head += ["to FastAPI no-op", "to bare ASGI"]
        return table(head, lines), rate["Lifeboat", 1]

    def fairness(self) -> str:
        """Somebody's single passengers, alone and while another client sends 10,000 at a time."""
        call = self.lifeboat.server.calls[0]
        lines = []
        for others in (0, 1, 4):
            with self._crowd(call, others):
                load = _load(self.lifeboat, call, 1, 4, _STEADY_SECONDS, pause_ms=(3, 9))
            lines.append([str(others), short(load.p50_ms), short(load.p99_ms)])
        return table(
            ["connections with 10,000 passengers each", "p50 ms of 1 passenger", "p99 ms"], lines
        )

    @contextlib.contextmanager
    def _crowd(self, call: Call, connections: int) -> Iterator[None]:
        if not connections:
            yield
            return
        # A second longer, so that it is there from the first to the last request of the others.
        crowd = threading.Thread(
            target=_load, args=(self.lifeboat, call, 10_000, connections, _STEADY_SECONDS + 1)
        )
        crowd.start()
        yield
        crowd.join()

    def steadiness(self, rate: float) -> str:
        """p99 at half the highest rate, quiet and with a training run and a swap each second."""
        pause = round(1000 * _STEADY_CONNECTIONS / (rate / 2))
        call = self.lifeboat.server.calls[0]
        self.stack.start_worker()

        def load() -> wrk.Load:
            return _load(
                self.lifeboat,
                call,
                1,
                _STEADY_CONNECTIONS,
                _STEADY_SECONDS,
                pause_ms=(pause - 1, pause + 1),
            )

        quiet, busy = list[wrk.Load](), list[wrk.Load]()
        for _ in range(_ROUNDS):
            quiet.append(load())
            with self._training(), self._swapping():
                busy.append(load())
        lines = [
            [
                what,
                *(
                    short(_median(loads, field))
                    for field in ("requests_per_second", "p50_ms", "p99_ms")
                ),
            ]
            for what, loads in (("neither", quiet), ("training, a swap each second", busy))
        ]
        return table(["meanwhile", "requests/s", "p50 ms", "p99 ms"], lines)

    @contextlib.contextmanager
    def _training(self) -> Iterator[None]:
        api = Api(self.lifeboat.server.url)
        with contextlib.closing(api.http):
            job_id = api.run_pipeline()
            api.wait_for_stage(job_id, "evaluate")
            yield
            assert api.job(job_id)["status"] == "running", "the run ended before the load did"
            api.http.delete(f"/jobs/{job_id}").raise_for_status()
            api.wait_for_end(job_id)

    @contextlib.contextmanager
    def _swapping(self) -> Iterator[None]:
        ended = threading.Event()

        def swap() -> None:
            turn = 0
            while not ended.wait(_SWAP_SECONDS):
                turn += 1
                self.stack.redis.client.set(VERSION, self.versions[turn % 2])

        swapper = threading.Thread(target=swap)
        swapper.start()
        yield
        ended.set()
        swapper.join()


def _load(
    one: Running,
    call: Call,
    rows: int,
    connections: int,
    seconds: int,
    pause_ms: tuple[int, int] | None = None,
) -> wrk.Load:
    body = call.body(rows)
    return wrk.load(
        one.server.url + call.path.format(rows=rows),
        body.content,
        headers=body.headers,
        connections=connections,
        seconds=seconds,
        pause_ms=pause_ms,
    )


def _median(loads: Sequence[wrk.Load], field: str) -> float:
    return float(statistics.median(getattr(load, field) for load in loads))
