"""Alerts, and the pieces of PromQL that they have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pd_exporter.catalogue import roles
from pd_exporter.rules.rule import ROLE, highest

RUNBOOK_URL = "https://github.com/pd-exporter/pd-exporter/blob/main/docs/runbook.md"
"""Where docs/runbook.md is published."""

LOST_WINDOW = "6h"
"""How far back something is looked for that is not there any more: a night's outage stays told."""


class Severity(StrEnum):
    """How soon somebody has to act; the label `severity`.

    Attributes:
        CRITICAL: Now. Requests are lost, or replicas follow the load no more, or a false signal.
        WARNING: Within the working day. It works, with less room for what comes next.
        INFO: Not at all by itself; it explains what else is seen.
    """

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class AlertRule:
    """An alert.

    Attributes:
        alert: Its name, which is a heading of the runbook.
        expression: Its PromQL, on one line.
        severity: How soon somebody has to act.
        summary: What is wrong and where, in a line; a template of the expression's labels.
        description: What follows from it, and where to look first, in sentences.
        for_: How long the expression has to hold, as PromQL writes it; empty for not at all.
    """

    alert: str
    expression: str
    severity: Severity
    summary: str
    description: str
    for_: str = ""

    @property
    def runbook_url(self) -> str:
        """Where the runbook tells what it means and what cures it."""
        return f"{RUNBOOK_URL}#{self.alert.lower()}"


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """Alerts on one topic.

    Attributes:
        name: The group's name.
        comment: What its alerts have in common.
        rules: The alerts.
    """

    name: str
    comment: str
    rules: Sequence[AlertRule]


SCALED_OBJECT = highest(ROLE, roles.SCALEDOBJECT_READY.name)
"""Roles that a ScaledObject scales."""

READY = highest(ROLE, roles.REPLICAS_READY.name)
DESIRED = highest(ROLE, roles.REPLICAS_DESIRED.name)
MIN = highest(ROLE, roles.REPLICAS_MIN.name)
MAX = highest(ROLE, roles.REPLICAS_MAX.name)
"""Their replicas."""

OF_ROLE = "{{ $labels.namespace }}/{{ $labels.group }} {{ $labels.role }}"
"""A role, in a template."""
