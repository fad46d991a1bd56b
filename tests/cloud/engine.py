"""Docker engines: a clean one, and what tests on the one of this machine do to each other."""

import fcntl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cloud.registry import Registry
from tests.support.processes import Process, wait_for

# Sets the loopback of this network namespace up, starts the registry, and becomes the engine.
_INSIDE = """
import fcntl, os, socket, struct, subprocess, sys
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH", b"lo", IFF_UP))
registry, configuration, *engine = sys.argv[1:]
subprocess.Popen([registry, "serve", configuration])
os.execvp(engine[0], engine)
"""


@contextmanager
def names_are_kept() -> Iterator[None]:
    """Keep others from leaving a Swarm, and wait until they have.

    An engine that leaves one forgets the names of all containers, those of Compose included:
    `redis` is then not found. The tests of Swarm hold this lock alone, and others share it.
    """
    with (Path(tempfile.gettempdir()) / "lifeboat-swarm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


class CleanEngine:
    """A second Docker engine, without an image, in a network of its own.

    Its only neighbour is a registry under the same address and over the same folder. Nothing else
    can be asked, and the bridge and the firewall of the first engine stay as they are: an engine
    without a bridge removes that of the other. Needs root.
    """

    def __init__(self, folder: Path, registry: Registry) -> None:
        # The path of a socket has 104 characters at most, and pytest's folders are long.
        self._run = tempfile.TemporaryDirectory(prefix="lifeboat-")
        self._socket = Path(self._run.name) / "engine.sock"
        engine = [
            "dockerd",
            *("--data-root", str(folder / "data"), "--exec-root", f"{self._run.name}/run"),
            *("--pidfile", str(folder / "pid"), "--host", f"unix://{self._socket}"),
            *("--bridge", "none", "--iptables=false", "--ip-masq=false"),
        ]
        self._process = Process(
            [
                *("unshare", "--net", sys.executable, "-c", _INSIDE),
                *(str(registry.program), str(registry.configuration)),
                *engine,
            ],
            folder / "engine.log",
            {},
        )
        try:
            wait_for(lambda: self.call("info")[0] == 0, why=self._process.output)
        except BaseException:
            # With the registry, which would outlive the test.
            self._process.end()
            self._run.cleanup()
            raise

    def __call__(self, *arguments: str) -> str:
        status, said = self.call(*arguments)
        assert status == 0, said
        return said.strip()

    def call(self, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            ["docker", "--host", f"unix://{self._socket}", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        return done.returncode, done.stdout

    def end(self) -> None:
        # It stops its containers and its containerd, which are in other groups.
        self._process.stop()
        self._process.end()
        self._run.cleanup()
