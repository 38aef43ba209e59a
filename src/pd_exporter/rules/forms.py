"""The rules and the triggers' queries, in the forms that they are loaded in."""

import re
from collections.abc import Iterator
from textwrap import indent, wrap

from pd_exporter.policy import RULE_SECONDS
from pd_exporter.rules.groups import GROUPS
from pd_exporter.rules.layout import WIDTH, lay_out
from pd_exporter.rules.rule import RecordingRule, RuleGroup
from pd_exporter.rules.triggers import SIGNALS, Signal

LATE_SECONDS = 240.0
"""Age up to which recorded series count where they come late.

Alibaba Managed Prometheus V2 evaluates rules each 60 s and 30 s after the fact by default, so that
what a rule reads of another is up to 2 minutes old.
"""
LATE_RULE_SECONDS = 60.0
"""Between two evaluations there."""

_RECORDING = """\
Recording rules: what autoscalers, alerts and dashboards read of a role.

Written by `make generate` from src/pd_exporter/rules; docs/rules.md lists them. A role's series \
has the labels namespace, group and role, and source, which says where its numbers come from. A \
sample that was scraped counts for 45 s, three scrapes: a series that ends without a staleness \
marker would keep its last value for Prometheus's lookback of 5 minutes. A recorded one counts in \
the evaluation that recorded it, or a rule that reads it would renew it. What is missing stays \
missing: nothing is filled in, and no value is NaN or infinite."""
_TRIGGERS = """\
Queries for KEDA's prometheus triggers, of type AverageValue, with their thresholds.

Written by `make generate`; docs/rules.md says which to take, deploy/components has them in \
ScaledObjects. Each gives a series for every role: add namespace, group and role of yours to the \
first selector, or to pd_queue_up where that ends the query, because KEDA wants one. Where \
recorded series come late, as on Alibaba Managed Prometheus V2, take `scraped`, which reads none \
of them but the service time, or `late`, which puts up with it."""
_RECORDED = re.compile(r"(time\(\)\s+- timestamp\(\s*(?:group|role|role_instance):[^)]*\)\s*<) \d+")


def recording_rules() -> str:
    """The plain form, ``groups:``, with comments; Alibaba Managed Prometheus V1 takes it too."""
    return f"{comment(_RECORDING)}\ngroups:\n{_groups()}"


def prometheus_rule(alerts: str) -> str:
    """A PrometheusRule of the Prometheus Operator.

    Args:
        alerts: The alerts' groups, as `alert_rules` gives them.
    """
    groups = indent(_groups() + "\n" + alerts.partition("groups:\n")[2], "  ")
    return (
        f"{comment(_RECORDING)}\n"
        "apiVersion: monitoring.coreos.com/v1\n"
        "kind: PrometheusRule\n"
        "metadata:\n"
        "  name: pd-exporter\n"
        "  labels:\n"
        "    app.kubernetes.io/name: pd-exporter\n"
        "spec:\n"
        "  groups:\n" + re.sub(r"[ ]+$", "", groups, flags=re.MULTILINE)
    )


def alibaba_v2() -> str:
    """The configuration of an aggregation task group of Alibaba Managed Prometheus V2."""
    late = _RECORDED.sub(rf"\1 {LATE_SECONDS:g}", _groups())
    return f"{comment(_RECORDING)}\ngroups:\n" + late.replace(
        f"interval: {RULE_SECONDS:g}s", f"interval: {LATE_RULE_SECONDS:g}s"
    )


def trigger_queries() -> str:
    """The queries of all signals, as YAML."""
    return f"{comment(_TRIGGERS)}\nsignals:\n" + "\n".join(map(_trigger, SIGNALS))


def names() -> list[str]:
    """Every recorded series' name, each once."""
    return list(dict.fromkeys(rule.record for group in GROUPS for rule in group.rules))


def comment(text: str, spaces: int = 0) -> str:
    """Paragraphs as a YAML comment, wrapped."""
    prefix = " " * spaces + "#"
    lines = [
        f"{prefix} {line}" if line else prefix
        for paragraph in text.split("\n")
        for line in wrap(paragraph, WIDTH - len(prefix) - 1) or [""]
    ]
    return "\n".join(lines) + "\n"


def _groups() -> str:
    return "\n".join(map(_group, GROUPS))


def _group(group: RuleGroup) -> str:
    head = f"  - name: {group.name}\n    interval: {RULE_SECONDS:g}s\n    rules:\n"
    return comment(group.comment, 2) + head + "\n".join(map(_rule, group.rules))


def _rule(rule: RecordingRule) -> str:
    lines = [f"      - record: {rule.record}", "        expr: |", lay_out(rule.expression, 10)]
    if rule.source:
        lines += ["        labels:", f"          source: {rule.source}"]
    return comment(rule.comment, 6) + "\n".join(lines) + "\n"


def _trigger(signal: Signal) -> str:
    return "\n".join(_trigger_lines(signal)) + "\n"


def _trigger_lines(signal: Signal) -> Iterator[str]:
    yield comment(signal.meaning, 2).rstrip()
    yield f"  - series: {signal.series}"
    yield f"    source: {signal.source}"
    yield f"    role: {signal.role}"
    yield f'    threshold: "{signal.threshold:g}"'
    scraped = signal.scraped()
    late = {"scraped": scraped} if scraped else {"late": signal.recorded(LATE_SECONDS)}
    for name, query in ({"query": signal.recorded()} | late).items():
        yield f"    {name}: |"
        yield lay_out(query, 6)
