"""From values of pods to those of role instances, and to a role's where enough of them report."""

from pd_exporter.policy import COVERAGE
from pd_exporter.rules.rule import (
    INSTANCE,
    POD,
    ROLE,
    RecordingRule,
    is_fresh,
    is_new,
    recorded,
    selected,
    window,
)
from pd_exporter.rules.workers import of_roles

RANK = f"{POD}, engine, dp_rank"
"""Labels that tell apart the engines of a pod.

Tensor and pipeline parallel ranks expose copies, and so do two scrape jobs of one pod.
"""


def in_pods(operator: str, *series: str) -> str:
    """Add up (sum) or average (avg) each pod's engines, by the first of the series that it has."""
    return first_of(
        *(
            f"{operator} by ({POD}) (max by ({RANK}) ({each} and {is_fresh(each)}))"
            for each in series
        )
    )


def rates(series: str, seconds: float) -> str:
    """Add up each pod's counters, per second; of several scrape jobs of a pod the highest."""
    each = f"rate({series}[{window(seconds)}]) and {is_fresh(series)}"
    return f"max by ({POD}) (sum by ({POD}, job, instance) ({each}))"


def first_of(*vectors: str) -> str:
    """For each set of labels the first vector that has it."""
    return vectors[0] if len(vectors) == 1 else f"({' or '.join(vectors)})"


def added(*vectors: str) -> str:
    """The sum of vectors by pod, each of which may lack what others have."""
    first, *others = vectors
    parts = [
        f'label_replace({other}, "part", "{number}", "", "")'
        for number, other in enumerate(others, 2)
    ]
    return f"sum by ({POD}) ({' or '.join([first, *parts])})"


def in_instances(operator: str, by_pod: str) -> str:
    """Add up or average each role instance's pods; of most only a leader reports.

    Nothing where one of them is NaN.
    """
    return f"{operator} by ({INSTANCE}) ({of_roles(by_pod)}) >= 0"


class Reports:
    """What role instances report of one thing, and which of them are expected to.

    Attributes:
        expected: The role instances, as a vector.
        coverage: The role's recorded series of how many of them report.
        source: Its label.
    """

    def __init__(self, coverage: str, source: str, expected: str) -> None:
        self.expected = expected
        self.coverage = coverage
        self.source = source

    def covered(self, name: str, comment: str) -> RecordingRule:
        """Record for how many of the expected instances a series is there.

        Only for roles of which any had it in the last day: most roles have no such thing.
        """
        wanted = f"count by ({ROLE}) ({self.expected})"
        told = f"max by ({ROLE}) (present_over_time({selected(name, self.source)}[1d]))"
        return RecordingRule(
            self.coverage,
            f"(count by ({ROLE}) ({self.of(name)}) or 0 * {wanted}) / {wanted} and {told}",
            comment,
            self.source,
        )

    def of(self, name: str) -> str:
        """The recorded values of the expected instances."""
        series = selected(name, self.source)
        return f"{series} and {is_new(series)} and on ({INSTANCE}) {self.expected}"

    def overall(self, operator: str, name: str) -> str:
        """Their average (avg) or maximum (max), where enough of them report."""
        return f"{operator} by ({ROLE}) ({self.of(name)}) and {self._enough()}"

    def mean_times(self, name: str, instances: str) -> str:
        """Their average times a number of instances: those that do not report are like them."""
        return f"({self.overall('avg', name)}) * {instances}"

    def total(self, name: str) -> str:
        """Their sum, and as much for each expected instance that does not report.

        One that reports and lacks this series adds nothing, as a rate in an engine's first seconds.
        """
        return f"sum by ({ROLE}) ({self.of(name)}) / ({self._enough()})"

    def _enough(self) -> str:
        return f"{recorded(self.coverage, self.source)} >= {COVERAGE:g}"
