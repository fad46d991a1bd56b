import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from prometheus_client import REGISTRY
from starlette.requests import ClientDisconnect

from api import limits
from api.http.intake import Intake
from api.limits import INLINE_BYTES
from shared.errors import BodyTooLarge, Overloaded

MOST = 4 * INLINE_BYTES
HELD = 8 * MOST


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


class Client:
    """Sends its messages one after the other, and then nothing, or a last byte when it is told."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.waiting = list(messages)
        self.more = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        if not self.waiting:
            await self.more.wait()
            return part(b"x", more=False)
        return self.waiting.pop(0)


def read(*messages: dict[str, Any], intake: Intake | None = None) -> bytes:
    return run((intake or Intake(MOST)).read(Client(*messages).receive))


def run(what: Coroutine[Any, Any, bytes]) -> bytes:
    return asyncio.run(asyncio.wait_for(what, 60))


def shed(cap: str) -> float:
    return REGISTRY.get_sample_value("lifeboat_shed_requests_total", {"cap": cap}) or 0


# --- bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "messages",
    [
        [part(b"abc", more=False)],
        [part(b"a", more=True), part(b"", more=True), part(b"bc", more=False)],
        [part(b"abc", more=True), part(b"", more=False)],
        [part(b"abc", more=True), {"type": "http.request"}],
    ],
)
def test_a_body_is_whole_however_it_comes(messages: list[dict[str, Any]]) -> None:
    assert read(*messages) == b"abc"


def test_no_body_is_an_empty_one() -> None:
    assert read({"type": "http.request"}) == b""


@pytest.mark.parametrize("before", [[], [part(b"half", more=True)]])
def test_a_client_that_leaves_is_noticed(before: list[dict[str, Any]]) -> None:
    with pytest.raises(ClientDisconnect):
        read(*before, {"type": "http.disconnect"})


@pytest.mark.parametrize("most", [1, 100, INLINE_BYTES, MOST])
def test_a_body_may_have_so_many_bytes_and_no_more(most: int) -> None:
    assert len(read(part(b"x" * most, more=False), intake=Intake(most))) == most
    for parts in (
        [part(b"x" * (most + 1), more=False)],
        [part(b"x" * most, more=True), part(b"x", more=False)],
    ):
        with pytest.raises(BodyTooLarge, match=f"more than {most} bytes"):
            read(*parts, intake=Intake(most))


def test_what_is_too_large_is_read_to_its_end_so_that_the_client_hears_the_answer() -> None:
    client = Client(*[part(b"x" * MOST, more=True)] * 50, part(b"", more=False))
    with pytest.raises(BodyTooLarge):
        run(Intake(MOST).read(client.receive))
    assert client.waiting == []


def test_what_is_too_large_and_has_no_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.limits.DISCARD_SECONDS", 0.01)
    with pytest.raises(BodyTooLarge):
        read(part(b"x" * MOST, more=True), part(b"x", more=True))
    monkeypatch.setattr("api.limits.DISCARD_BYTES", 2 * MOST)
    client = Client(*[part(b"x" * MOST, more=True)] * 10)
    with pytest.raises(BodyTooLarge):
        run(Intake(MOST).read(client.receive))
    assert len(client.waiting) >= 5


# --- caps ----------------------------------------------------------------------------------------


def test_large_bodies_are_held_up_to_a_cap_until_they_are_released() -> None:
    intake = Intake(MOST)
    held = [read(part(b"x" * MOST, more=False), intake=intake) for _ in range(HELD // MOST)]
    before = shed("large bodies")
    with pytest.raises(Overloaded):
        read(part(b"x" * MOST, more=False), intake=intake)
    assert shed("large bodies") == before + 1
    assert read(part(b"small", more=False), intake=intake) == b"small"
    intake.release(held.pop())
    assert len(read(part(b"x" * MOST, more=False), intake=intake)) == MOST


@pytest.mark.parametrize(
    "messages",
    [
        [part(b"x" * MOST, more=True), part(b"x" * MOST, more=False)],
        [part(b"x" * MOST, more=True), {"type": "http.disconnect"}],
        [part(b"x", more=True), part(b"x", more=False)],
    ],
)
def test_what_was_refused_or_is_small_is_not_held(messages: list[dict[str, Any]]) -> None:
    intake = Intake(MOST)
    for _ in range(100):
        try:
            intake.release(read(*messages, intake=intake))
        except (BodyTooLarge, ClientDisconnect):
            continue
    assert len(read(part(b"x" * MOST, more=False), intake=intake)) == MOST


class Stalled:
    """Uploads that take all room, and of which each lacks its last byte."""

    def __init__(self, intake: Intake) -> None:
        self.clients = [Client(part(b"x" * (MOST - 1), more=True)) for _ in range(HELD // MOST)]
        reads = (intake.read(client.receive) for client in self.clients)
        self.uploads = [asyncio.ensure_future(read) for read in reads]

    async def come_in(self) -> None:
        while any(client.waiting for client in self.clients):
            await asyncio.sleep(0)

    async def refused(self) -> int:
        """How many were given up; the others are let go."""
        await asyncio.sleep(0.01)
        for client in self.clients:
            client.more.set()
        done = await asyncio.wait_for(asyncio.gather(*self.uploads, return_exceptions=True), 60)
        assert all(len(body) == MOST for body in done if isinstance(body, bytes))
        return sum(isinstance(error, Overloaded) for error in done)


def test_uploads_that_stand_still_give_way_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.limits.STALL_SECONDS", 0)

    async def newcomers(number: int) -> int:
        intake = Intake(MOST)
        stalled = Stalled(intake)
        await stalled.come_in()
        for _ in range(number):
            client = Client(part(b"x" * (MOST - 1), more=True), part(b"x", more=False))
            assert len(await intake.read(client.receive)) == MOST
        return await stalled.refused()

    for number in (0, 1, 3, 8):
        assert asyncio.run(newcomers(number)) == number


def test_uploads_that_get_on_give_way_to_nobody() -> None:
    async def newcomer() -> int:
        intake = Intake(MOST)
        stalled = Stalled(intake)
        await stalled.come_in()
        with pytest.raises(Overloaded):
            await intake.read(Client(part(b"x" * MOST, more=False)).receive)
        return await stalled.refused()

    assert asyncio.run(newcomer()) == 0


def test_a_byte_now_and_then_is_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.limits.STALL_SECONDS", 0)
    monkeypatch.setattr("api.limits.DISCARD_SECONDS", 0)

    async def gave_way() -> list[bool]:
        intake = Intake(MOST)
        clients = [asyncio.Queue[dict[str, Any]]() for _ in range(HELD // MOST)]
        tasks = [asyncio.ensure_future(intake.read(client.get)) for client in clients]
        trickle, *others = clients
        for sent in (
            [(client, MOST // 2) for client in clients],
            [(client, limits.PROGRESS_BYTES) for client in others],
            # Later than the others' last piece.
            [(trickle, 1)],
        ):
            for client, size in sent:
                client.put_nowait(part(b"x" * size, more=True))
            await asyncio.sleep(0.001)
        for size in (MOST, MOST, MOST // 2):
            await intake.read(Client(part(b"x" * size, more=False)).receive)
        await asyncio.sleep(0.01)
        found = [task.done() for task in tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return found

    found = asyncio.run(gave_way())
    assert found == [True] + [False] * (len(found) - 1)


def test_a_body_that_is_whole_in_the_moment_it_is_given_up_is_refused_and_not_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("api.limits.STALL_SECONDS", 0)

    async def both() -> bytes | BaseException:
        intake = Intake(MOST)
        stalled = Stalled(intake)
        await stalled.come_in()
        # Its last byte is there, and its task has not run yet.
        stalled.clients[0].more.set()
        await intake.read(Client(part(b"x" * MOST, more=False)).receive)
        (outcome,) = await asyncio.gather(stalled.uploads[0], return_exceptions=True)
        return outcome

    assert isinstance(asyncio.run(both()), Overloaded)


def test_one_turn_of_the_event_loop_takes_in_so_much_and_the_next_begins_anew() -> None:
    async def turns() -> list[int]:
        intake = Intake(MOST)
        taken = []
        for _ in range(3):
            taken.append(0)
            with pytest.raises(Overloaded):
                for _ in range(10_000):
                    intake.admit(b"one passenger")
                    taken[-1] += 1
            await asyncio.sleep(0)
        return taken

    before = shed("requests at once")
    first, *later = asyncio.run(turns())
    assert 500 < first < 2000
    assert later == [first, first]
    assert shed("requests at once") == before + 3


def test_longer_requests_fill_a_turn_sooner() -> None:
    async def taken(body: bytes) -> int:
        intake = Intake(MOST)
        for requests in range(10_000):
            try:
                intake.admit(body)
            except Overloaded:
                return requests
        raise AssertionError("a turn has no end")

    short, long = (asyncio.run(taken(b"x" * size)) for size in (100, INLINE_BYTES))
    assert 10 < short / long < 20
