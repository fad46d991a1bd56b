"""The files in which each API process of this host notes the version that it serves.

A gauge with the version as its label would keep a series, in a file that grows, for each version
that a process has ever served. Instead, each process notes its version in a small file of its own,
beside the files of prometheus_client. The process that answers `/metrics` reads all of them.
"""

import logging
import os
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)


def folder() -> Path | None:
    """Return the folder of the files of all processes; None for a process that stands alone."""
    path = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(path) if path else None


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


def forget(folder: Path, pid: int) -> None:
    """Remove the files of a dead process."""
    _file(folder, pid).unlink(missing_ok=True)
    _new(folder, pid).unlink(missing_ok=True)


def _file(folder: Path, pid: int) -> Path:
    return folder / f"serves_{pid}"


def _new(folder: Path, pid: int) -> Path:
    return folder / f".serves_{pid}"
