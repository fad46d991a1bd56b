"""Load on a server from `wrk`: one thread, on a core that the server does not have.

Every connection sends the same request again as soon as it has its answer, or after a pause. What
is counted is what is answered: any other status than success, a broken connection or a timeout
fails the measurement.
"""

import functools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CORE = "1"
_TIMEOUT = "30s"
"""Longest wait for an answer; wrk's own 2 s would fail the slowest servers of 10,000 rows."""

_REAL_TIME = ("chrt", "--fifo", "1")

_SCRIPT = """\
local file = assert(io.open(%(body)s, "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()
%(headers)s
%(pause)s

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '\\n{"requests": %%d, "seconds": %%.6f, "p50_ms": %%.4f, "p99_ms": %%.4f,'
      .. ' "p999_ms": %%.4f, "errors":'
      .. ' {"connect": %%d, "read": %%d, "write": %%d, "status": %%d, "timeout": %%d}}',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency:percentile(99.9) / 1e3,
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
"""


_PAUSE = "function delay() return math.random(%d, %d) end"


@dataclass(frozen=True)
class Load:
    requests: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    p999_ms: float


def require_tools() -> None:
    """Raises SystemExit where a tool is missing that no Python package brings."""
    for tool, package in (("wrk", "wrk"), ("taskset", "util-linux"), ("chrt", "util-linux")):
        if shutil.which(tool) is None:
            raise SystemExit(
                f"{tool} is not on PATH. Install it; on Debian and Ubuntu: apt install {package}"
            )


def version() -> str:
    """As `wrk 4.1.0`; its exit status tells nothing."""
    words = subprocess.run(["wrk", "--version"], capture_output=True, text=True).stdout.split()
    return " ".join(words[:2])


@functools.cache
def goes_first() -> bool:
    """Whether this user may give `wrk` the priority of real time.

    Without it, a training run on the same core holds `wrk` up by milliseconds, whatever its
    niceness (kernel code is not interrupted), and that would count as the server's latency.
    """
    return subprocess.run([*_REAL_TIME, "true"], capture_output=True).returncode == 0


def command(url: str, script: str, *, connections: int, seconds: int) -> list[str]:
    return [
        *(_REAL_TIME if goes_first() else ()),
        *("taskset", "-c", CORE, "wrk", "--threads", "1", "--connections", str(connections)),
        *("--duration", f"{seconds}s", "--timeout", _TIMEOUT, "--script", script, url),
    ]


def load(
    url: str,
    body: bytes,
    *,
    headers: Mapping[str, str],
    connections: int,
    seconds: int,
    pause_ms: tuple[int, int] | None = None,
) -> Load:
    """`pause_ms` bounds the pause of each connection after an answer, which holds the rate down.

    No answer at all is no error: the time may have been too short.

    Raises:
        RuntimeError: wrk failed, or counted an error.
    """
    with tempfile.TemporaryDirectory() as folder:
        body_file, script = Path(folder, "body"), Path(folder, "request.lua")
        body_file.write_bytes(body)
        script.write_text(_script(body_file, headers, pause_ms))
        run = subprocess.run(
            command(url, str(script), connections=connections, seconds=seconds),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
    if run.returncode != 0:
        raise RuntimeError(f"wrk failed for {url}: {run.stdout}{run.stderr}")
    counted = json.loads(run.stdout.splitlines()[-1])
    if any(counted["errors"].values()):
        raise RuntimeError(f"{url} had {counted['requests']} answers, {counted['errors']} errors")
    return Load(
        requests=counted["requests"],
        requests_per_second=counted["requests"] / counted["seconds"],
        p50_ms=counted["p50_ms"],
        p99_ms=counted["p99_ms"],
        p999_ms=counted["p999_ms"],
    )


def _script(body: Path, headers: Mapping[str, str], pause_ms: tuple[int, int] | None) -> str:
    # A JSON string of plain characters is a Lua string as well.
    lines = [f"wrk.headers[{json.dumps(n)}] = {json.dumps(v)}" for n, v in headers.items()]
    return _SCRIPT % {
        "body": json.dumps(str(body)),
        "headers": "\n".join(lines),
        "pause": _PAUSE % pause_ms if pause_ms else "",
    }
