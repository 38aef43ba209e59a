"""The alerts in the form that they are loaded in."""

import re
from textwrap import wrap

from pd_exporter.policy import RULE_SECONDS
from pd_exporter.rules.alerts.alert import AlertGroup, AlertRule
from pd_exporter.rules.alerts.groups import GROUPS
from pd_exporter.rules.forms import comment
from pd_exporter.rules.layout import WIDTH, lay_out

_ACTION = re.compile(r"{{.*?}}")
_SPACE = "\x00"
_HEAD = """\
Alerts on what autoscalers rest on; docs/runbook.md has a heading for each.

Written by `make generate` from src/pd_exporter/rules/alerts. They read the series of\
 rules/recording.yaml, and the exporter's own where they are younger than 45 s. Severity critical:\
 somebody has to act now; warning: within the working day; info: it explains what else is seen."""


def alert_rules() -> str:
    """The plain form, ``groups:``, with comments; Alibaba Managed Prometheus takes it too."""
    return f"{comment(_HEAD)}\ngroups:\n" + "\n".join(map(_group, GROUPS))


def _group(group: AlertGroup) -> str:
    head = f"  - name: {group.name}\n    interval: {RULE_SECONDS:g}s\n    rules:\n"
    return comment(group.comment, 2) + head + "\n".join(map(_rule, group.rules))


def _rule(rule: AlertRule) -> str:
    lines = [f"      - alert: {rule.alert}", "        expr: |", lay_out(rule.expression, 10)]
    if rule.for_:
        lines.append(f"        for: {rule.for_}")
    lines += [
        "        labels:",
        f"          severity: {rule.severity}",
        "        annotations:",
        *_folded("summary", rule.summary),
        *_folded("description", rule.description),
        f"          runbook_url: {rule.runbook_url}",
    ]
    return "\n".join(lines) + "\n"


def _folded(name: str, text: str) -> list[str]:
    """A text as a YAML scalar over lines, which fold into one; a template's actions stay whole."""
    kept = _ACTION.sub(lambda action: action[0].replace(" ", _SPACE), text)
    lines = wrap(kept, WIDTH - 12, break_long_words=False, break_on_hyphens=False)
    return [
        f"          {name}: >-",
        *(f"            {line.replace(_SPACE, ' ')}" for line in lines),
    ]
