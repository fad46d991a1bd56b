"""More than a process can do: it says so at once, keeps its memory, and is itself again after."""

import asyncio
import contextlib
import json
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import psutil
import pytest

from shared.runtime.redis_keys import VERSION
from tests.faults.conftest import Figure
from tests.support.processes import Api, Stack
from tests.support.versions import publish

ONE = json.dumps([{"Age": 22.0, "Sex": "male", "Embarked": "S"}]).encode()
# Padded, so that the cap on bodies that wait is reached within a second.
LARGE = json.dumps([{"Age": 22.0, "Sex": "male", "Fare": 7.25}] * 10_000).encode().ljust(2 * 2**20)
_SLOW_CLIENTS = 500
_PATIENCE_SECONDS = 15
"""The shortest time that a request may take to become whole (`api.http.patience`)."""
_CUT_OFF_SECONDS = 30


@pytest.fixture
def api(stack: Stack) -> Iterator[Api]:
    """One process with a model."""
    version = publish(stack.models_dir)
    stack.redis.client.set(VERSION, version)
    api = stack.start_api()
    api.wait_for_version(version)
    yield api
    assert "Traceback" not in api.log(), api.log()


def request(body: bytes, path: str = "/predict") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: api\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass
class Answers:
    """What came back of an offered load."""

    statuses: Counter[int] = field(default_factory=Counter)
    """0 for none: the connection broke."""
    seconds: list[float] = field(default_factory=list)
    """Of those with 200."""
    without_retry_after: int = 0

    def __iadd__(self, other: "Answers") -> "Answers":
        self.statuses += other.statuses
        self.seconds += other.seconds
        self.without_retry_after += other.without_retry_after
        return self

    def p99_ms(self) -> float:
        return 1000 * statistics.quantiles(self.seconds, n=100)[-1]


class Client:
    """A connection that asks one thing after the other."""

    def __init__(self, api: Api) -> None:
        host, _, port = api.url.removeprefix("http://").partition(":")
        self._address = host, int(port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address, limit=2**22)
        return self._streams

    async def ask(self, sent: bytes, answers: Answers) -> None:
        started = time.perf_counter()
        try:
            reader, writer = await self.open()
            writer.write(sent)
            head = await reader.readuntil(b"\r\n\r\n")
            lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
            await reader.readexactly(int(lines[b"content-length"]))
        except (ConnectionError, asyncio.IncompleteReadError):
            answers.statuses[0] += 1
            self.close()
            return
        status = int(head.split(b" ", 2)[1])
        answers.statuses[status] += 1
        if status == 200:
            answers.seconds.append(time.perf_counter() - started)
        elif b"retry-after" not in lines:
            answers.without_retry_after += 1
        if lines.get(b"connection") == b"close":
            self.close()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def closed_loop(api: Api, sent: bytes, *, connections: int, seconds: float) -> Answers:
    """Each connection asks again as soon as it has its answer."""
    answers = Answers()
    end = time.perf_counter() + seconds

    async def ask() -> None:
        client = Client(api)
        while time.perf_counter() < end:
            await client.ask(sent, answers)
        client.close()

    await asyncio.gather(*(ask() for _ in range(connections)))
    return answers


async def open_loop(api: Api, sent: bytes, *, rate: float, seconds: float) -> Answers:
    """Requests that start at their time, whatever became of those before."""
    answers = Answers()
    idle: list[Client] = []
    started = time.perf_counter()

    async def ask() -> None:
        client = idle.pop() if idle else Client(api)
        await client.ask(sent, answers)
        idle.append(client)

    async with asyncio.TaskGroup() as asking:
        for number in range(int(rate * seconds)):
            delay = started + number / rate - time.perf_counter()
            if delay > 0:
                await asyncio.sleep(delay)
            asking.create_task(ask())
    for client in idle:
        client.close()
    return answers


@contextlib.asynccontextmanager
async def watching_health(api: Api) -> AsyncIterator[Answers]:
    """Asks for the health and the metrics all the while."""
    answers = Answers()

    client = Client(api)

    async def watch() -> None:
        while True:
            for path in ("/health/live", "/health/ready", "/v2/health/ready", "/metrics"):
                await client.ask(f"GET {path} HTTP/1.1\r\nHost: api\r\n\r\n".encode(), answers)
            await asyncio.sleep(0.05)

    watcher = asyncio.create_task(watch())
    try:
        yield answers
    finally:
        watcher.cancel()
        client.close()


def shed(api: Api) -> float:
    lines = api.http.get("/metrics").text.splitlines()
    name = "lifeboat_shed_requests_total"
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def memory_mb(api: Api) -> float:
    return float(psutil.Process(api.pid).memory_info().rss) / 1e6


@pytest.mark.thorough
def test_large_requests_at_three_times_the_highest_rate_are_shed_and_then_all_is_as_before(
    api: Api, long: bool, figure: Figure
) -> None:
    async def overload() -> tuple[float, float, float, Answers, Answers, Answers, float]:
        before = await closed_loop(api, request(LARGE), connections=2, seconds=2)
        rate = before.statuses[200] / 2
        quiet = await open_loop(api, request(ONE), rate=100, seconds=4 if long else 1)
        at_rest = memory_mb(api)
        seconds = 20 if long else 4
        async with watching_health(api) as health:
            during = await open_loop(api, request(LARGE), rate=3 * rate, seconds=seconds)
            # The highest rate was another one if the machine had much else to do when it was tried.
            while not long and 503 not in during.statuses:
                rate *= 2
                during += await open_loop(api, request(LARGE), rate=3 * rate, seconds=seconds)
        await asyncio.sleep(2)
        after = await open_loop(api, request(ONE), rate=100, seconds=4 if long else 1)
        return rate, at_rest, quiet.p99_ms(), during, health, after, memory_mb(api)

    rate, at_rest, quiet_p99, during, health, after, memory = asyncio.run(overload())
    assert set(during.statuses) == {200, 503}, during.statuses
    assert during.without_retry_after == 0
    assert shed(api) == during.statuses[503]
    assert set(health.statuses) == {200}
    assert set(after.statuses) == {200}
    # What is held is capped at 64 MiB; decoding and answering take their share.
    assert memory < at_rest + 300
    figure(
        f"offered {3 * rate:.0f} requests/s of 10,000 passengers, three times the highest rate: "
        f"{during.statuses[200]} answered, {during.statuses[503]} shed; "
        f"memory {at_rest:.0f} MB before and {memory:.0f} MB after; "
        f"p99 of one passenger {quiet_p99:.1f} ms before, {after.p99_ms():.1f} ms 2 s after"
    )
    if long:
        assert after.p99_ms() < 1.5 * quiet_p99 + 2


def test_more_small_requests_at_once_than_a_turn_takes_are_shed(api: Api) -> None:
    """3,000 connections, each of which has sent a request before the process reads any."""
    process = psutil.Process(api.pid)

    async def burst() -> tuple[Answers, Answers]:
        clients = [Client(api) for _ in range(3000)]
        answers, after = Answers(), Answers()
        for client in clients:
            await client.open()
        # All of them have been accepted once the last is answered.
        await clients[-1].ask(request(ONE), after)
        process.suspend()
        asking = [asyncio.create_task(client.ask(request(ONE), answers)) for client in clients]
        await asyncio.sleep(1)
        process.resume()
        await asyncio.gather(*asking)
        await asyncio.gather(*(client.ask(request(ONE), after) for client in clients[:200]))
        for client in clients:
            client.close()
        return answers, after

    answers, after = asyncio.run(burst())
    assert set(answers.statuses) == {200, 503}, answers.statuses
    assert answers.without_retry_after == 0
    assert answers.statuses[200] >= 500
    assert after.statuses == {200: 201}
    assert shed(api) == answers.statuses[503]


@pytest.mark.thorough
def test_sixteen_clients_of_the_largest_requests_are_all_answered(api: Api) -> None:
    answers = asyncio.run(closed_loop(api, request(LARGE), connections=16, seconds=2))
    assert set(answers.statuses) == {200}


@pytest.mark.thorough
def test_five_hundred_uploads_at_once_do_not_take_the_memory(api: Api) -> None:
    before = memory_mb(api)
    body = request(ONE.ljust(4 * 1024 * 1024))
    most = before

    async def upload() -> Answers:
        nonlocal most
        answers = Answers()
        clients = [Client(api) for _ in range(500)]
        uploads = asyncio.gather(*(client.ask(body, answers) for client in clients))
        while not uploads.done():
            most = max(most, memory_mb(api))
            await asyncio.sleep(0.05)
        await uploads
        for client in clients:
            client.close()
        return answers

    started = time.monotonic()
    answers = asyncio.run(upload())
    # 2 GB were sent. What is not whole after 15 s is given up, and a busy machine may take longer.
    if time.monotonic() - started > _PATIENCE_SECONDS:
        del answers.statuses[408]
    assert set(answers.statuses) == {200, 503}, answers.statuses
    assert most < before + 400
    assert api.predict().status_code == 200


@pytest.mark.thorough
def test_uploads_that_stop_one_byte_short_keep_nobody_out(
    api: Api, long: bool, figure: Figure
) -> None:
    """Twice as many as there is room for, sent again whenever they have been given up."""
    sent = request(ONE.ljust(8 * 1024 * 1024))[:-1]

    async def stall() -> None:
        while True:
            client = Client(api)
            reader, writer = await client.open()
            writer.write(sent)
            try:
                with contextlib.suppress(ConnectionError):
                    await reader.read(1000)
            finally:
                writer.transport.abort()

    async def others() -> Answers:
        stalled = [asyncio.create_task(stall()) for _ in range(22)]
        await asyncio.sleep(2)
        answers = await open_loop(api, request(LARGE), rate=2, seconds=20 if long else 4)
        for task in stalled:
            task.cancel()
        await asyncio.gather(*stalled, return_exceptions=True)
        return answers

    answers = asyncio.run(others())
    assert answers.statuses[200] > answers.statuses[503], answers.statuses
    figure(
        f"22 uploads that stop one byte short: of {answers.statuses.total()} requests of 2 MB in "
        f"the meantime, {answers.statuses[200]} were answered"
    )


@pytest.mark.thorough
def test_slow_clients_hold_up_nobody_and_are_cut_off(api: Api, long: bool, figure: Figure) -> None:
    """A byte a second, half of them in the head of a request and half in its body."""
    head = b"POST /predict HTTP/1.1\r\nHost: api\r\nContent-Length: 1000000\r\n"
    beginnings = [head, head + b"\r\n["]

    async def slow(number: int) -> tuple[float, bytes]:
        reader, writer = await Client(api).open()
        writer.write(beginnings[number % 2])
        started = time.monotonic()
        answer = bytearray()

        async def read() -> None:
            # A byte that is sent to a connection that is closed resets it: what came before counts.
            with contextlib.suppress(ConnectionError):
                while received := await reader.read(1000):
                    answer.extend(received)

        reading = asyncio.ensure_future(read())
        while not reading.done():
            assert time.monotonic() - started < 2 * _CUT_OFF_SECONDS, "it is never cut off"
            with contextlib.suppress(ConnectionError):
                writer.write(b" " if number % 2 else b"x")
            await asyncio.wait([reading], timeout=1)
        writer.close()
        return time.monotonic() - started, bytes(answer)

    async def crowd() -> tuple[list[tuple[float, bytes]], Answers, Answers]:
        alone = await open_loop(api, request(ONE), rate=100, seconds=2)
        clients = [asyncio.create_task(slow(number)) for number in range(_SLOW_CLIENTS)]
        await asyncio.sleep(1)
        others = await open_loop(api, request(ONE), rate=100, seconds=4)
        return await asyncio.gather(*clients), alone, others

    ends, alone, others = asyncio.run(crowd())
    assert set(others.statuses) == {200}
    if long:
        assert max(seconds for seconds, _ in ends) < _CUT_OFF_SECONDS
    answers = Counter(answer[9:12] for _, answer in ends)
    assert answers[b"408"] > _SLOW_CLIENTS * 0.9, answers
    figure(
        f"{_SLOW_CLIENTS} clients at 1 byte/s: cut off after {min(ends)[0]:.0f} to "
        f"{max(ends)[0]:.0f} s; p99 of others {others.p99_ms():.1f} ms, {alone.p99_ms():.1f} ms "
        "without them"
    )
