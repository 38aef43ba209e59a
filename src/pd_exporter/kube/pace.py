"""How fast the API server is asked again: thousands of exporters must not ask it all at once."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_MOST_DOUBLINGS = 30  # more would outgrow a float


@dataclass(frozen=True, slots=True)
class Pace:
    """Pauses between questions, in seconds.

    Attributes:
        start: Longest pause before the first question; it is drawn between none and this.
        first_pause: Pause before asking again. It doubles while that does not help.
        longest_pause: Longest it gets, unless the server asks for more.
        longest_obeyed: Longest pause that the server can ask for.
        settled: A watch that lasts this long has begun well.
        shortest_watch: A watch is asked for this long at least, and up to twice as long.
        pause: Lets time pass.
        chance: Draws from 0 to 1.
    """

    start: float = 2.0
    first_pause: float = 1.0
    longest_pause: float = 60.0
    longest_obeyed: float = 300.0
    settled: float = 5.0
    shortest_watch: int = 300
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random

    def watch_seconds(self) -> int:
        """Draw how long to watch, so that watches begun together do not end together."""
        return round(self.shortest_watch * (1 + self.chance()))


PACE = Pace()
"""What thousands of exporters may ask of one API server."""


class Backoff:
    """Pauses that grow, drawn so that clients that failed together do not come back together."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._tries = 0

    @property
    def lasting(self) -> bool:
        """Whether more went wrong than the one thing that may go wrong now and then."""
        return self._tries > 1

    def next(self, asked_for: float = 0.0) -> float:
        """Give the pause before the next try.

        Args:
            asked_for: Seconds for which the server wants to be left alone.
        """
        doubled = self._pace.first_pause * 2.0 ** min(self._tries, _MOST_DOUBLINGS)
        full = min(doubled, self._pace.longest_pause)
        self._tries += 1
        return min(asked_for, self._pace.longest_obeyed) + full * (1 + self._pace.chance()) / 2

    def reset(self) -> None:
        """Begin anew: what was tried went well."""
        self._tries = 0
