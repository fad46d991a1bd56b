"""The file by which others see that the worker's main process is alive."""

import logging
from pathlib import Path

log = logging.getLogger(__name__)


class AliveFile:
    """A file that Celery's event loop touches; its age is the container's health check.

    `celery inspect ping` would start a Python with all of Celery for each probe.
    """

    def __init__(self) -> None:
        self.path: Path | None = None
        """`LIFEBOAT_ALIVE_FILE`; nothing is touched without it."""
        self._said = ""

    def touch(self) -> None:
        if self.path is None:
            return
        try:
            self.path.touch()
        except OSError as error:
            reason = f"{self.path} cannot be touched: {error.strerror or error}"
            if reason != self._said:
                self._said = reason
                log.warning("LIFEBOAT_ALIVE_FILE: %s", reason)


alive_file = AliveFile()
"""That of this process; `celery_app` gives it its path."""
