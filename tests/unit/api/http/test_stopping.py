import signal
import threading
from types import FrameType

import pytest

from api.http.stopping import stop_flag


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_sets_the_flag_and_reaches_who_handled_it_before(number: signal.Signals) -> None:
    heard: list[int] = []

    def handler(number: int, frame: FrameType | None) -> None:
        heard.append(number)

    before = signal.signal(number, handler)
    try:
        with stop_flag() as flag:
            assert not flag.is_set()
            signal.raise_signal(number)
            assert flag.is_set()
        assert heard == [number]
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)


def test_beside_the_main_thread_there_is_a_flag_and_no_handler() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[bool] = []

    def use() -> None:
        with stop_flag() as flag:
            seen.append(flag.is_set())

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert seen == [False]
    assert signal.getsignal(signal.SIGTERM) is before
