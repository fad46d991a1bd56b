"""Refused bodies of the greatest length: what they leave behind, and how long they hold up others.

Nothing else of a process runs while a thread holds the interpreter. How long that is, is read from
that thread's own time of the processor: whatever else the machine has to do does not count.
"""

import asyncio
import contextlib
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from api import limits
from api.serving.bodies import records
from api.v2.question import opened, read
from shared.errors import LifeboatError
from shared.schema.decoder import REFUSED
from tests.faults.conftest import Figure
from tests.faults.test_load import Answers, Client, api, memory_mb, request
from tests.support.large_bodies import RECORDS, TENSORS
from tests.support.processes import Api
from tests.support.titanic import DECODER, READERS, explain

pytestmark = pytest.mark.thorough

__all__ = ["api"]

INFER = "/v2/models/lifeboat/infer"
ROWS = 10_000
_MOST_MS = 20
KINDS = {
    "empty records": ("/predict", RECORDS["empty records"]),
    "invalid UTF-8": ("/predict", RECORDS["invalid UTF-8 at the end"]),
    "parameters": (INFER, TENSORS["parameters"]),
    "numbers": (INFER, TENSORS["numbers"]),
}


def test_memory_is_what_it_was_after_any_number_of_refused_bodies(
    api: Api, long: bool, figure: Figure
) -> None:
    """Six of the third kind made a process of 110 MB one of 1,540 MB."""

    async def refused(path: str, body: bytes, times: int) -> Answers:
        answers = Answers()
        sent = request(body, path)
        client = Client(api)
        for _ in range(times):
            await client.ask(sent, answers)
        client.close()
        return answers

    found = []
    for path, body in KINDS.values():
        asyncio.run(refused(path, body, 10))
    before = memory_mb(api)
    for kind, (path, body) in KINDS.items():
        answers = asyncio.run(refused(path, body, 1000 if long else 50))
        assert set(answers.statuses) <= {400, 413, 422}, answers.statuses
        after = memory_mb(api)
        assert after < before + 20, kind
        found.append(f"{answers.statuses.total()} of {kind} {before:.0f} to {after:.0f} MB")
    figure(f"bodies of 8 MB, refused one after the other: {'; '.join(found)}")


def held_ms(call: Callable[[], object]) -> float:
    """The longest time of the processor that a call takes while it lets no other thread run."""
    longest = 0.0
    done = False
    clock = time.pthread_getcpuclockid(threading.get_ident())

    def watch() -> None:
        nonlocal longest
        seen = time.clock_gettime(clock)
        while not done:
            time.sleep(0.0001)
            now = time.clock_gettime(clock)
            longest, seen = max(longest, now - seen), now

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        call()
    finally:
        done = True
        watcher.join()
    return 1000 * longest


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns as they do in an API process."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(limits.SWITCH_SECONDS)
    yield
    sys.setswitchinterval(before)


def read_records(body: bytes) -> None:
    with contextlib.suppress(LifeboatError):
        try:
            records(body, ROWS, DECODER)
        except REFUSED:
            explain(body, ROWS)


def read_tensors(body: bytes) -> None:
    with contextlib.suppress(LifeboatError):
        read(opened(body, None, ROWS, READERS), ROWS, READERS, ("label", "probabilities"))


@pytest.mark.usefixtures("switching")
@pytest.mark.parametrize(
    ("reading", "bodies"), [(read_records, RECORDS), (read_tensors, TENSORS)], ids=["records", "v2"]
)
def test_no_body_holds_the_interpreter_for_long(
    reading: Callable[[bytes], None], bodies: dict[str, bytes], long: bool, figure: Figure
) -> None:
    if not long:
        pytest.skip("measures; tests/unit holds how much text a call is given")
    found = {}
    for kind, body in bodies.items():
        reading(body)
        held = [held_ms(lambda body=body: reading(body)) for _ in range(9)]  # type: ignore[misc]
        found[kind] = f"{kind} {statistics.median(held):.1f} ({max(held):.1f})"
        assert statistics.median(held) < _MOST_MS, kind
    figure(f"8 MB hold the interpreter for so many ms (most): {', '.join(found.values())}")
