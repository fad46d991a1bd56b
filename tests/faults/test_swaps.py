"""The version changes again and again under load: no request notices, and nothing is left over."""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from shared.runtime.redis_keys import VERSION
from tests.faults.conftest import Figure, Times
from tests.support.connections import Answer, Client, Connection, clients_of, to_each_process
from tests.support.processes import Stack, wait_for
from tests.support.versions import publish

_PROCESSES = 2
_VERSIONS = 10
_FIRST_SWAPS = 50
"""After so many, whatever a process keeps for good is there."""
_MOST_GROWTH = 1.05


@dataclass
class Reign:
    """The time in which a version may be served: until the last process has swapped to the next."""

    version: str
    since: float
    until: float = math.inf

    def covers(self, answer: Answer) -> bool:
        return (
            self.version == answer.version
            and self.since <= answer.answered
            and self.until >= answer.asked
        )


def _out_of_turn(answers: Iterable[Answer], reigns: list[Reign]) -> list[Answer]:
    """The answers of versions that were not current; both are in the order of time."""
    found, first = [], 0
    for answer in answers:
        while reigns[first].until < answer.asked:
            first += 1
        # No answer takes longer than a reign or two.
        if not any(reign.covers(answer) for reign in reigns[first : first + 3]):
            found.append(answer)
    return found


def _all_serve(connections: list[Connection], version: str) -> bool:
    return all(connection.version() == version for connection in connections)


def _all_met(clients: list[Client], version: str) -> bool:
    return all(client.answers and client.answers[-1].version == version for client in clients)


def test_swaps_under_steady_load_fail_no_request_and_leave_nothing_behind(
    stack: Stack, times: Times, long: bool, figure: Figure
) -> None:
    versions = [publish(stack.models_dir) for _ in range(_VERSIONS)]
    swaps = times(30, 1000)
    stack.redis.client.set(VERSION, versions[0])
    api = stack.start_api(processes=_PROCESSES)
    reigns = [Reign(versions[0], since=-math.inf)]
    with to_each_process(api, _PROCESSES) as found, clients_of(api, 4) as clients:
        connections = list(found.values())
        memory = {process: [_resident(process)] for process in found}
        for swap in range(1, swaps + 1):
            version = versions[swap % _VERSIONS]
            reigns.append(Reign(version, since=time.monotonic()))
            stack.redis.client.set(VERSION, version)
            # However many there are for the processor: each client meets each version.
            wait_for(
                lambda: _all_serve(connections, version) and _all_met(clients, version)  # noqa: B023
            )
            reigns[-2].until = time.monotonic()
            if swap % _FIRST_SWAPS == 0:
                for process, sizes in memory.items():
                    sizes.append(_resident(process))
    assert [client.failures for client in clients] == [[]] * len(clients)
    assert [_out_of_turn(client.answers, reigns) for client in clients] == [[]] * len(clients)
    assert all(set(client.versions) == set(versions) for client in clients)
    if long:
        growth = max(sizes[-1] / sizes[1] for sizes in memory.values())
        answers = sum(len(client.answers) for client in clients)
        figure(
            f"{swaps:,} swaps in {_PROCESSES} processes, {answers:,} predictions, 0 failures; "
            f"resident memory of each process, MB at the start and after each {_FIRST_SWAPS} "
            f"swaps: {_in_megabytes(memory.values())}"
        )
        assert growth < _MOST_GROWTH


def _resident(process: int) -> int:
    """Bytes."""
    return int(psutil.Process(process).memory_info().rss)


def _in_megabytes(sizes: Iterable[list[int]]) -> str:
    return "; ".join(", ".join(f"{size / 1e6:.1f}" for size in one) for one in sizes)
