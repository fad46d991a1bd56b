"""Finds the processes of a `make run` that was killed, and whose lifelines did not end them."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

_MARK = "MAKE_RUN_OF_LIFEBOAT"


def mark(models_dir: Path) -> dict[str, str]:
    """Return a variable by which the processes of this `make run` are known."""
    return {_MARK: f"{os.getpid()} {models_dir.resolve()}"}


def left_over(models_dir: Path, lock: Path) -> list[psutil.Process]:
    """Return processes of a `make run` on this folder that is not there any more.

    The Redis server overwrites its environment, but holds the lock.
    """
    return [
        process
        for process in psutil.process_iter()
        if process.pid != os.getpid() and _is_left(process, str(models_dir.resolve()), lock)
    ]


def described(processes: list[psutil.Process]) -> str:
    """Return the processes by their ids, each with its module or its program."""

    def each() -> Iterator[str]:
        for process in processes:
            with contextlib.suppress(psutil.Error):
                words = process.cmdline() or [process.name()]
                is_module = words[1:2] == ["-m"] and len(words) > 2
                yield f"{process.pid} ({words[2] if is_module else Path(words[0]).name})"

    return ", ".join(each())


def _is_left(process: psutil.Process, models_dir: str, lock: Path) -> bool:
    try:
        if process.uids().real != os.getuid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.name().startswith(("redis", "valkey")):
            is_ours = any(file.path == str(lock) for file in process.open_files())
            return is_ours and not _is_supervised(_marked(process.parent()))
        marked = _marked(process)
        return marked.partition(" ")[2] == models_dir and not _is_supervised(marked)
    # Others' processes, and those that have just ended.
    except (psutil.Error, OSError):
        return False


def _marked(process: psutil.Process | None) -> str:
    try:
        return process.environ().get(_MARK, "") if process else ""
    except psutil.Error:
        return ""


def _is_supervised(marked: str) -> bool:
    """Return whether the `make run` that is named there is running; a dead one may be a zombie."""
    try:
        return psutil.Process(int(marked.partition(" ")[0])).status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError):
        return False
