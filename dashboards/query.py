"""The PromQL of the panels.

Two replicas of the exporter may run, and a node's exporter may be replaced: what they say of one
thing is shown once, the highest of it. Nothing is filled in: what has no value is not there.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pd_exporter.samples import Desc

ROLE = ("namespace", "group", "role")

ONE_SERVICE = 'namespace="$namespace", group="$group"'
"""Matchers where one service is looked at."""

SERVICES = 'namespace=~"$namespace", group=~"$group"'
"""Matchers where there may be several."""


class Query(NamedTuple):
    """An expression, and what its series are called; with `{{label}}` for a label's value."""

    expression: str
    legend: str


def of_role(role: str) -> str:
    """Matchers for a role of the service."""
    return f'{ONE_SERVICE}, role="{role}"'


def recorded(name: str, matchers: str) -> str:
    """A recorded series, which comes from no replica of the exporter."""
    return f"{name}{{{matchers}}}"


def read(desc: Desc, matchers: str = "") -> str:
    """The metric itself, once for each replica of the exporter."""
    return f"{desc.name}{{{matchers}}}" if matchers else desc.name


def highest(expression: str, by: Sequence[str]) -> str:
    """One value of those that differ in other labels."""
    return f"max by ({', '.join(by)}) ({expression})"


def latest(desc: Desc, matchers: str = "", by: Sequence[str] = ()) -> str:
    """A metric of the exporter as it is now, by all of its own labels or by those given."""
    return highest(read(desc, matchers), by or desc.labels)


def changed(function: str, desc: Desc, matchers: str = "", by: Sequence[str] = ()) -> str:
    """A function over the time between two points of the panel, such as `rate`."""
    return highest(f"{function}({read(desc, matchers)}[$__rate_interval])", by or desc.labels)


def failures(desc: Desc, matchers: str, by: Sequence[str]) -> str:
    """What each replica of the exporter has met itself, added up."""
    return f"sum by ({', '.join(by)}) (increase({read(desc, matchers)}[$__rate_interval]))"
