"""A fault of the matrix as data: how it comes and goes, and what the page is like meanwhile."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.faults.scene import MEMORY, Key, Scene, Series, key
from tests.gpu_node import Settings

ERRORS = "pd_gpu_errors_total"
SLOW = Settings(enumerate_seconds=10.0)
"""As it runs in a cluster: only the scrape itself can notice at once what happens to a GPU."""
QUICK = Settings(enumerate_seconds=0.1, hung_seconds=0.3)
"""Where it is the enumeration in the background that has to learn of something."""
BACKGROUND = 25
"""The scrape by which sources in the background have told, which ask about ten times a second."""

Act = Callable[[Scene], Awaitable[None] | None]


@dataclass(frozen=True)
class Saying:
    """What a page says instead of the whole truth; None is nothing at all."""

    name: str
    value: float | None
    labels: frozenset[tuple[str, str]]

    def fits(self, series: Key) -> bool:
        return self.name == series[0] and self.labels <= series[1]

    def __str__(self) -> str:
        shown = ",".join(
            f'{name}="{value}"'
            for name, value in sorted(self.labels)
            if name not in {"node", "uuid"}
        )
        return f"`{self.name}{{{shown}}}`" if shown else f"`{self.name}`"


def says(name: str, value: float | None, **labels: str) -> Saying:
    return Saying(name, value, frozenset(labels.items()))


def silent(**labels: str) -> tuple[Saying, ...]:
    """No memory of what has these labels."""
    return tuple(says(name, None, **labels) for name in sorted(MEMORY))


@dataclass(frozen=True)
class Fault:
    """A fault, and what the page has to be like while it lasts.

    Attributes:
        name: What happens.
        own: In words, the series that it costs.
        inject: Makes it, and notes what else becomes true by it.
        cure: Ends it.
        says: How the page differs from the truth.
        counts: Uuids of GPUs whose errors count, with the reason.
        passing: What may be so, too, before the page is as it has to be.
        tells: What tells the fault, beside what is in `says` and `counts`.
        problem: The subject that the landing page names, and the reason.
        at_once: Whether the first scrape that begins later has no memory that was true before.
        notice: The scrape by which the page has to be as it is to be.
        back: The scrape after the cure by which all is back.
        pages: How many scrapes it lasts.
        ends_process: Whether the cure is a new exporter, which counts from 0.
        settings: How the exporter is set.
    """

    name: str
    own: str
    inject: Act
    cure: Act
    says: tuple[Saying, ...] = ()
    counts: tuple[tuple[str, str], ...] = ()
    passing: tuple[Saying, ...] = ()
    tells: str = ""
    problem: tuple[str, str] | None = None
    at_once: bool = True
    notice: int = 1
    back: int = 1
    pages: int = 4
    ends_process: bool = False
    settings: Settings = SLOW

    def page(self, truth: Series) -> Series:
        """What the page has to be like."""
        page = dict(truth)
        for saying in self.says:
            found = [series for series in page if saying.fits(series)]
            for series in found:
                del page[series]
            if saying.value is not None:
                fitting = found or [key(saying.name, **dict(saying.labels))]
                page |= dict.fromkeys(fitting, saying.value)
        return page

    def told_by(self) -> str:
        """What tells the fault, in words."""
        numbers = [saying for saying in self.says if saying.name not in MEMORY]
        words = [f"{saying} {saying.value:g}" for saying in numbers if saying.value is not None]
        words += [f'`{ERRORS}{{reason="{reason}"}}` counts' for _, reason in self.counts]
        words += [self.tells] if self.tells else []
        words += [f"landing page: {self.problem[1]}"] if self.problem else []
        return ", ".join(dict.fromkeys(words))
