"""Which version each API process of this host serves.

A gauge with the version as its label would keep a series, in a file that grows, for each version
that a process has ever served. So each notes the one it serves in a small file of its own, beside
those of prometheus_client; whichever process is asked reads them all.
"""

import logging
import os
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)


def folder() -> Path | None:
    """Where all processes of this API keep their numbers; None for one that stands alone."""
    path = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(path) if path else None


def note(folder: Path, version: str) -> None:
    """This process serves `version` from now on."""
    new = _new(folder, os.getpid())
    try:
        new.write_text(version)
        # Whoever reads the file gets the old name or the new, whole.
        new.replace(_file(folder, os.getpid()))
    except OSError as error:
        log.warning("lifeboat_model_info stays as it was: %s", error)


def noted(folder: Path) -> dict[int, str]:
    """Process id -> the version that it noted; also of processes that have died since."""
    found = {}
    for path in folder.glob("serves_*"):
        # Another process may have found it dead, and been quicker.
        with suppress(FileNotFoundError):
            found[int(path.name.removeprefix("serves_"))] = path.read_text()
    return found


def forget(folder: Path, pid: int) -> None:
    """That process is dead."""
    _file(folder, pid).unlink(missing_ok=True)
    _new(folder, pid).unlink(missing_ok=True)


def _file(folder: Path, pid: int) -> Path:
    return folder / f"serves_{pid}"


def _new(folder: Path, pid: int) -> Path:
    return folder / f".serves_{pid}"
