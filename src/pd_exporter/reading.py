"""What a collector gives to a scrape: readings of its subjects, each with samples or a problem."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pd_exporter.samples import Sample


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something was not read, and what cures it.

    Attributes:
        reason: A word of a small fixed set, fit for a label.
        message: What happened, and where, in a sentence.
        cure: What to do about it, in a sentence.
    """

    reason: str
    message: str
    cure: str

    def __str__(self) -> str:
        return f"{self.message} {self.cure}"


@dataclass(frozen=True, slots=True)
class Reading:
    """All that one scrape learned about one subject: a queue, a GPU, a role.

    Attributes:
        subject: The subject's name, unique within its collector, for people.
        details: What identifies it further (stream, consumer, node …), for people.
        samples: What was read and accepted during this scrape; nothing older.
        problem: Why some or all of it was not read, or None.
    """

    subject: str
    samples: Sequence[Sample]
    problem: Problem | None = None
    details: Mapping[str, str] = field(default_factory=dict)
