"""How a value went."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Course:
    """How a value went over the run: at its begin, at its highest, at its end."""

    first: float
    peak: float
    last: float

    @classmethod
    def of(cls, values: Sequence[float | None]) -> "Course | None":
        """Summarise what is not missing; None where all is."""
        known = [value for value in values if value is not None]
        return cls(known[0], max(known), known[-1]) if known else None
