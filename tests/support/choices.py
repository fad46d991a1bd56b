"""Choices of a version that are noted beside the versions, or are not."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.versions import current
from shared.versions.store import ModelStore


class NotedKey:
    """A version key without Redis, and what the worker does with a choice."""

    def __init__(self, models: ModelStore, note: Callable[[str], None] | None = None) -> None:
        """`note` is called with each choice; by default the choice is noted at once."""
        self.chosen: list[str] = []
        self._note = models.set_current if note is None else note

    def choose(self, version: str, check: Callable[[str], object]) -> None:
        check(version)
        self.chosen.append(version)
        self._note(version)


@contextmanager
def nothing_can_be_noted(models_dir: Path) -> Iterator[None]:
    """Put a folder in the place of the note, over which root cannot write either."""
    note = models_dir / current.KEY
    while not note.is_dir():
        note.unlink(missing_ok=True)
        # A worker may be quicker.
        with suppress(FileExistsError, NotADirectoryError):
            (note / "in the way").mkdir(parents=True)
    try:
        yield
    finally:
        shutil.rmtree(note)
