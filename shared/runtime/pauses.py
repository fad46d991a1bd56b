"""How long to wait before a process is started again in the place of one that ended."""


class Pauses:
    """The pauses of one place: longer each time, unless the process ran well meanwhile."""

    FIRST, LONGEST = 1.0, 30.0
    WELL_SECONDS = 60.0

    def __init__(self) -> None:
        self._next = self.FIRST

    def after(self, seconds: float) -> float:
        """Return the pause after a process that has run well for so many seconds."""
        if seconds >= self.WELL_SECONDS:
            self._next = self.FIRST
        pause, self._next = self._next, min(2 * self._next, self.LONGEST)
        return pause
