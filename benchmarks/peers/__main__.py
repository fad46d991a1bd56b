"""Lifeboat beside other ways to serve the same scikit-learn pipeline: `make bench-peers`.

Every server has one worker process on one core, `wrk` has the other core. All are started and
checked against the pipeline's own probabilities first. Then one is measured while the others idle,
server after server, several rounds over; the medians of the rounds go to `benchmarks/results.md`
and, as a chart, to `docs/how-fast.png`.
"""

import contextlib
import shutil
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks import ours, wrk
from benchmarks.peers import chart, install, report, servers
from benchmarks.peers.check import calls, check
from benchmarks.peers.plan import CASES, ROUNDS, WARM_UP_SECONDS, Case
from benchmarks.results import write_section
from benchmarks.server import Call, Running, Server
from tests.support.processes import RedisServer
from tests.support.versions import publish

_WORK = install.FOLDER / "work"


def main() -> None:
    wrk.require_tools()
    programs = {name: install.install(name) for name in install.NAMES}
    shutil.rmtree(_WORK, ignore_errors=True)
    _WORK.mkdir()
    version = _WORK / "models" / publish(_WORK / "models")
    with contextlib.ExitStack() as ends:
        running = _start(version, programs, ends)
        refusals = check(running, version)
        measured = _measure(running, refusals)
    environments = {"Lifeboat, hand-written": Path(sys.executable).parent} | programs
    text = report.section(
        servers=[one.server for one in running],
        versions={name: install.versions(folder) for name, folder in environments.items()},
        measured=measured,
        refusals=refusals,
    )
    write_section("bench-peers", text)
    chart.draw(measured)
    print(text)


def _start(version: Path, programs: dict[str, Path], ends: contextlib.ExitStack) -> list[Running]:
    """Every server, ready; `ends` ends them."""
    redis = RedisServer(_WORK / "redis")
    ends.callback(redis.end)

    def start(server: Server) -> Running:
        running = Running(server, _WORK)
        ends.callback(running.end)
        return running

    lifeboat = start(ours.lifeboat(version.parent, redis.url))
    peers = [
        start(servers.handwritten(version)),
        start(servers.mlserver(version, programs["mlserver"], _WORK / "mlserver")),
        start(servers.bentoml(version, programs["bentoml"], _WORK / "bentoml")),
        start(servers.litserve(version, programs["litserve"])),
        start(servers.mlflow(version, programs["mlflow"], _WORK / "mlflow")),
    ]
    lifeboat.wait()
    answers = _answers(lifeboat)
    baselines = [
        start(ours.baseline("fastapi", "FastAPI no-op", answers)),
        start(ours.baseline("bare", "bare ASGI no-op", answers)),
    ]
    running = [lifeboat, *baselines, *peers]
    for one in running:
        one.wait()
    return running


def _answers(lifeboat: Running) -> Path:
    """Lifeboat's answers, for the baselines to give."""
    folder = _WORK / "answers"
    folder.mkdir()
    for case in CASES:
        answer = lifeboat.post(lifeboat.server.calls[0], case.rows).raise_for_status()
        (folder / f"{case.rows}.json").write_bytes(answer.content)
    return folder


def _measure(running: Sequence[Running], refusals: dict[str, str]) -> report.Measured:
    loads = defaultdict(list)
    for turn in range(ROUNDS):
        for case in CASES:
            for one, call in calls(running, refusals):
                load = _load(one, call, case)
                loads[call.name, case.rows].append(load)
                print(
                    f"{turn + 1}/{ROUNDS} {call.name}, {case.rows} rows:"
                    f" {load.requests_per_second:.1f}/s",
                    flush=True,
                )
    return {what: _median(rounds) for what, rounds in loads.items()}


def _load(one: Running, call: Call, case: Case) -> wrk.Load:
    body = call.body(case.rows)
    url = one.server.url + call.path.format(rows=case.rows)

    def load(seconds: int) -> wrk.Load:
        return wrk.load(
            url,
            body.content,
            headers=body.headers,
            connections=case.connections,
            seconds=seconds,
        )

    load(WARM_UP_SECONDS)
    # Requests that wrk gave up at its end are still worked at; this one comes after them.
    one.post(call, case.rows)
    measured = load(case.seconds)
    assert measured.requests, f"{call.name} answered nothing in {case.seconds} s"
    return measured


def _median(rounds: Sequence[wrk.Load]) -> wrk.Load:
    return wrk.Load(
        requests=sum(load.requests for load in rounds),
        requests_per_second=statistics.median(load.requests_per_second for load in rounds),
        p50_ms=statistics.median(load.p50_ms for load in rounds),
        p99_ms=statistics.median(load.p99_ms for load in rounds),
        p999_ms=statistics.median(load.p999_ms for load in rounds),
    )


if __name__ == "__main__":
    main()
