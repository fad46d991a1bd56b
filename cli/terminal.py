"""The terminal, pipe or file that a command prints to, of any encoding, and perhaps soon gone."""

import io
import os
import sys

from rich.console import Console

from shared.command import lost

DETACHED = 130
"""Exit status: the run goes on, and is no longer watched."""


class Terminal(Console):
    """Prints what the encoding lacks as an escape, and goes on when nobody reads any more."""

    def __init__(self) -> None:
        if sys.stdout is None:
            # Started with standard output closed.
            sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        super().__init__(highlight=False, markup=False)

    @property
    def is_lost(self) -> bool:
        """Whether nothing that is printed gets anywhere any more."""
        return lost(self.file) is not None
