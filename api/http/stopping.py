"""A flag that says that this process was asked to stop, for answers that would not end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_flag() -> Iterator[threading.Event]:
    """Give a flag that the signal itself sets.

    uvicorn ends the lifespan when the last connection is closed, and waits for the event streams
    until then. The streams have to know earlier.
    """
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        # In a test client, which gets no signals.
        yield flag
        return
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}

    def note(number: int, frame: FrameType | None) -> None:
        flag.set()
        handler = handlers[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in _SIGNALS:
        signal.signal(number, note)
    try:
        yield flag
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
