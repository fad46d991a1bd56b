"""What is measured, and for how long: some ten minutes with every server and call."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    rows: int
    """Passengers in each request."""
    connections: int
    seconds: int


CASES = (
    Case(rows=1, connections=16, seconds=4),
    Case(rows=100, connections=16, seconds=4),
    # Longer: the slowest answer fewer than ten such requests in a second.
    Case(rows=10_000, connections=4, seconds=8),
)
ROUNDS = 3
WARM_UP_SECONDS = 1
