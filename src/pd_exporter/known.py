"""What a source in the background knows: not a value to publish, but what gives values meaning."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pd_exporter.reading import Problem

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Known(Generic[_T_co]):
    """What a source last learned.

    Attributes:
        value: None where it never learned anything, or so long ago that it no longer counts.
        at: When the value was last confirmed, as Unix time; None where it never was.
        problem: Why it is not up to date; None while all is well.
    """

    value: _T_co | None = None
    at: float | None = None
    problem: Problem | None = None


class Source(Protocol[_T_co]):
    """Learns in the background."""

    def known(self) -> Known[_T_co]:
        """What it knows now."""

    async def first(self) -> None:
        """Return once it has tried to learn for the first time, well or not."""


class AtHand(Generic[_T]):
    """A source that need not learn: it has its answer whenever it is asked."""

    def __init__(self, ask: Callable[[], Known[_T]]) -> None:
        self._ask = ask

    def known(self) -> Known[_T]:
        """What it knows now."""
        return self._ask()

    async def first(self) -> None:
        """Return at once."""
