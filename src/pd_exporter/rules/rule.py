"""Recording rules, and the pieces of PromQL that they have in common."""

from collections.abc import Sequence
from dataclasses import dataclass

from pd_exporter.policy import FRESH_SECONDS, RULE_SECONDS

GROUP = "namespace, group"
ROLE = f"{GROUP}, role"
INSTANCE = f"{ROLE}, role_instance"
QUEUE = f"{ROLE}, stream, consumer"
POD = "namespace, pod"
"""Label lists of the levels at which series are added up."""


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """A series to record.

    Attributes:
        record: Its name, ``level:metric:operation``.
        expression: Its PromQL, on one line.
        comment: What it is, in which unit, and why it is so, in sentences.
        source: Its label `source`; empty for none.
    """

    record: str
    expression: str
    comment: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """Rules that are evaluated one after the other, at the same instant.

    Attributes:
        name: The group's name.
        comment: What its rules have in common.
        rules: The rules, in an order in which each finds what it reads.
    """

    name: str
    comment: str
    rules: Sequence[RecordingRule]


def is_fresh(series: str) -> str:
    """The condition that a scraped series' sample is young enough to count.

    One that ends without a staleness marker would keep its last value for 5 minutes.
    """
    return f"time() - timestamp({series}) < {FRESH_SECONDS:g}"


def highest(labels: str, series: str) -> str:
    """A scraped series' fresh samples, one of those that differ in other labels.

    Those are the exporter's replicas above all, which read at different moments.
    """
    return f"max by ({labels}) ({series} and {is_fresh(series)})"


def is_new(series: str) -> str:
    """The condition that a recorded series' sample is of the evaluation under way.

    One that reads an older sample would renew it: Prometheus leaves no staleness markers when it
    stops, and reads what it recorded before as current for 5 minutes after it is back.
    """
    return f"time() - timestamp({series}) < {RULE_SECONDS:g}"


def new(series: str) -> str:
    """A recorded series as the same group has recorded it just before."""
    return f"({series} and {is_new(series)})"


def recorded(name: str, source: str) -> str:
    """The same of a role's series, without the label `source`."""
    series = selected(name, source)
    return f"max by ({ROLE}) ({series} and {is_new(series)})"


def earlier(name: str, source: str, seconds: float) -> str:
    """A role's recorded series as it was some time ago, without the label `source`.

    Nothing where it was not recorded then: Prometheus would go back further by 5 minutes.
    """
    series = f"{selected(name, source)} offset {window(seconds)}"
    age = f"time() - timestamp({series}) < {RULE_SECONDS:g} + {seconds:g}"
    return f"max by ({ROLE}) ({series} and {age})"


def selected(name: str, source: str) -> str:
    """The selector of a source's recorded series."""
    return f'{name}{{source="{source}"}}'


def window(seconds: float) -> str:
    """A duration as PromQL writes it."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"
