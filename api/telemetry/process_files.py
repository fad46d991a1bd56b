"""The files of each API process of this host: its counts, and the version that it serves.

A gauge with the version as its label would keep a series, in a file that grows, for each version
that a process has ever served. Instead, each process notes its version in a small file of its own,
beside the files of prometheus_client. The process that answers `/metrics` reads all of them.

prometheus_client keeps the counts of a process that has ended for ever, in files of 64 KiB and
more. They are part of the totals: they are added to one file, and the processes' own are removed.
"""

import fcntl
import logging
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from api.telemetry import values

_PREFIX = "lifeboat-metrics-"
_ENDED = 0
"""In place of a process id: all processes that have ended."""

log = logging.getLogger(__name__)


def folder() -> Path | None:
    """Return the folder of the files of all processes; None for a process that stands alone."""
    path = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(path) if path else None


@contextmanager
def new_folder() -> Iterator[str]:
    """Make the folder of a new API, and remove it afterwards.

    A killed API cannot remove its own. So the folders that no living one has locked are removed.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError), locked(left, wait=False):
            shutil.rmtree(left)
    # Locked before it has its name: another API that starts now would take it for one that is left.
    unnamed = Path(tempfile.mkdtemp(prefix="lifeboat-"))
    with locked(unnamed):
        folder = unnamed.rename(unnamed.with_name(f"{_PREFIX}{unnamed.name}"))
        try:
            yield str(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Lock a file or folder against other processes and threads.

    The lock is the kernel's, and ends with the process. Raises BlockingIOError instead of waiting.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


@contextmanager
def settled(folder: Path) -> Iterator[None]:
    """Add the counts of ended processes up; within, nobody else does the same."""
    lock = folder / ".lock"
    lock.touch()
    with locked(lock):
        add_up_the_ended(folder)
        yield


def tidy() -> None:
    """Add the counts of ended processes up, for an API that nobody asks for its metrics."""
    shared = folder()
    if shared is not None:
        with settled(shared):
            pass


def add_up_the_ended(folder: Path) -> None:
    """Add the counts of processes that have ended to one file, and remove their own."""
    for path in folder.glob("*_*.db"):
        kind, _, pid = path.stem.rpartition("_")
        if kind not in ("counter", "histogram") or is_alive(int(pid)):
            continue
        try:
            _add(path, folder / f"{kind}_{_ENDED}.db")
        # A file that ends too early.
        except (OSError, RuntimeError, ValueError, struct.error) as error:
            log.warning("the counts of a process that has ended are lost: %s", error)
        path.unlink(missing_ok=True)
    try:
        values.add_up_the_ended(folder, is_alive)
    except OSError as error:
        log.warning("the counts of a process that has ended are not added up: %s", error)


def _add(source: Path, target: Path) -> None:
    # Not at the top: prometheus_client decides on import how it counts, and `api/__main__.py` has
    # this module make the folder first.
    from prometheus_client import mmap_dict

    counts: Any = mmap_dict.MmapedDict(str(target))  # type: ignore[no-untyped-call]
    try:
        found: Any = mmap_dict.MmapedDict.read_all_values_from_file(str(source))  # type: ignore[no-untyped-call]
        for key, value, _, _ in found:
            before, _ = counts.read_value(key)
            counts.write_value(key, before + value, 0.0)
    finally:
        counts.close()


def is_alive(pid: int) -> bool:
    """Return whether there is a process of that id; 0 stands for those that have ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def note(folder: Path, version: str) -> None:
    """Note that this process serves `version` from now on."""
    new = _new(folder, os.getpid())
    try:
        new.write_text(version)
        # A reader gets the old name or the new name, whole.
        new.replace(_file(folder, os.getpid()))
    except OSError as error:
        log.warning("lifeboat_model_info does not show the served version: %s", error)


def noted(folder: Path) -> dict[int, str]:
    """Return the version that each process noted, by process id; dead processes included."""
    found = {}
    for path in folder.glob("serves_*"):
        # Another process may have removed the file of a dead process meanwhile.
        with suppress(FileNotFoundError):
            found[int(path.name.removeprefix("serves_"))] = path.read_text()
    return found


def noted_by_others() -> set[str]:
    """Return the versions that the other living processes of this host serve."""
    shared = folder()
    if shared is None:
        return set()
    own = os.getpid()
    return {version for pid, version in noted(shared).items() if pid != own and is_alive(pid)}


def forget(folder: Path, pid: int) -> None:
    """Remove the files of a dead process."""
    _file(folder, pid).unlink(missing_ok=True)
    _new(folder, pid).unlink(missing_ok=True)


def _file(folder: Path, pid: int) -> Path:
    return folder / f"serves_{pid}"


def _new(folder: Path, pid: int) -> Path:
    return folder / f".serves_{pid}"
