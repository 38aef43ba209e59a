"""The smallest words of the exporter: a metric's description, one sample of it, families.

Nothing here is mutable: a scrape builds samples, renders them and forgets them, so a series
whose source is gone is gone from the page.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from prometheus_client.metrics_core import Metric


class Kind(StrEnum):
    """Prometheus metric types in use; the values are those of the exposition format."""

    COUNTER = "counter"
    GAUGE = "gauge"
    INFO = "info"


_SUFFIX = {Kind.COUNTER: "_total", Kind.INFO: "_info", Kind.GAUGE: ""}


class SampleError(ValueError):
    """A sample that must not reach the page: wrong labels, not a finite number, or given twice."""


@dataclass(frozen=True, slots=True, eq=False)
class Desc:
    """A metric, described once: full name, help, kind and label names in order.

    A description is itself: two of the same content are a mistake, not equal.

    Raises:
        SampleError: The name lacks the suffix of its kind, or the help is no sentence.
    """

    name: str
    help: str
    kind: Kind
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.name.endswith(_SUFFIX[self.kind]):
            raise SampleError(f"{self.name}: a {self.kind} is named *{_SUFFIX[self.kind]}")
        if self.kind is not Kind.COUNTER and self.name.endswith("_total"):
            raise SampleError(f"{self.name}: only a counter is named *_total")
        if not self.help.endswith("."):
            raise SampleError(f"{self.name}: the help is a sentence and ends with a full stop")

    def sample(self, value: float, labels: Mapping[str, str]) -> "Sample":
        """Give one sample with exactly this metric's labels.

        Raises:
            SampleError: Labels are missing or too many, or the value is NaN or infinite.
        """
        values = tuple([labels[name] for name in self.labels if name in labels])
        if not len(values) == len(self.labels) == len(labels):
            raise SampleError(f"{self.name} has labels {self.labels}, given {tuple(labels)}")
        if not math.isfinite(value):
            raise SampleError(f"{self.name}{dict(labels)} is {value}")
        return Sample(self, values, float(value))


class Sample(NamedTuple):
    """One value of one series, read during this scrape; label values in the metric's order."""

    desc: Desc
    labels: tuple[str, ...]
    value: float


def check_unique(samples: Iterable[Sample]) -> None:
    """Accept samples of which no two are of one series.

    Raises:
        SampleError: A series is given twice; a Prometheus server would reject the whole page.
    """
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for sample in samples:
        series = (sample.desc.name, sample.labels)
        if series in seen:
            labels = dict(zip(sample.desc.labels, sample.labels, strict=True))
            raise SampleError(f"{sample.desc.name}{labels} is given twice")
        seen.add(series)


def families(samples: Iterable[Sample]) -> Iterator[Metric]:
    """Group samples into metric families, in order of first appearance, ready to be rendered."""
    grouped: dict[Desc, list[Sample]] = {}
    for sample in samples:
        grouped.setdefault(sample.desc, []).append(sample)
    for desc, members in grouped.items():
        # In OpenMetrics a family is named without its kind's suffix and its samples with it.
        family = Metric(desc.name.removesuffix(_SUFFIX[desc.kind]), desc.help, desc.kind.value)
        for member in members:
            family.add_sample(
                desc.name, dict(zip(desc.labels, member.labels, strict=True)), member.value
            )
        yield family
