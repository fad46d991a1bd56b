"""A real API server, without nodes: what is beside the checkout brings one of release 1.20."""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil

from tests.support.processes import ROOT, free_port, wait_for

_UP = ROOT.parent / "shared" / "kubernetes" / "up"
_BUILD_SECONDS = 1500
_START_SECONDS = 120
_STOP_SECONDS = 20


def built() -> None:
    """Build the server unless that has been done on this machine. Takes four minutes."""
    assert _UP.exists(), (
        f"expected {_UP} to bring a Kubernetes API server, found nothing; put a program there that "
        "takes `start <folder>`, starts one on 127.0.0.1 and leaves `kubeconfig` and `pids` there"
    )
    subprocess.run([str(_UP)], check=True, capture_output=True, timeout=_BUILD_SECONDS)


@contextmanager
def running(folder: Path) -> Iterator[Path]:
    """Run the server with its state in a folder; yields the file that leads clients to it."""
    built()
    try:
        with (folder / "up.log").open("w") as log:
            subprocess.run(
                [str(_UP), "start", str(folder)],
                env=os.environ | {"PORT": str(_three_ports())},
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=_START_SECONDS,
            )
        yield folder / "kubeconfig"
    finally:
        _end(folder / "pids")


def _three_ports() -> int:
    """Return the first of three free ports in a row: the server's, and two of its store."""
    while True:
        port = free_port()
        with contextlib.suppress(OSError):
            for next_one in (port + 1, port + 2):
                socket.create_server(("127.0.0.1", next_one)).close()
            return port


def _end(pids: Path) -> None:
    """End the processes that the program has started; they are not children of this one."""
    for line in pids.read_text().split() if pids.exists() else []:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(int(line))
            process.terminate()
            wait_for(partial(_has_ended, process), seconds=_STOP_SECONDS)


def _has_ended(process: psutil.Process) -> bool:
    # Whoever has to may not have noted the end yet.
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
