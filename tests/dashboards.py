"""The committed dashboards, and what they ask."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pd_exporter.rules import forms

FOLDER = Path(__file__).parents[1] / "dashboards" / "generated"
FILES = sorted(FOLDER.glob("*.json"))

OF_PROMETHEUS = {
    "ALERTS",
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
}
"""Series of Prometheus itself, and those that prometheus_client gives of every process."""
RECORDED = set(forms.names())
"""Series that recording rules give."""

CHOSEN = {
    "$namespace": "default",
    "$group": "dynamo-pd",
    "$source": "jetstream",
    "$decode_source": "engine",
    "$__rate_interval": "1m",
}
"""What variables stand for where one value is chosen, as a reader of the scene would."""

_NO_NAMES = re.compile(
    r'"[^"]*"|\[[^\]]*\]|\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)'
)
_NAMED = re.compile(r'__name__\s*=~?\s*"([^"]*)"')
_NAME = re.compile(r"(?<![\w:.])[a-zA-Z_:][\w:]*+(?!\s*\()")
_WORDS = {"and", "or", "unless", "bool", "inf", "nan", "offset"}


class Asked(NamedTuple):
    """A query of a panel."""

    dashboard: str
    panel: str
    type: str
    ref: str
    expression: str
    legend: str

    def substituted(self) -> str:
        # Where several may be chosen, all are.
        expression = re.sub(r'=~"\$\w+"', '=~".*"', self.expression)
        for variable in sorted(CHOSEN, key=len, reverse=True):
            expression = expression.replace(variable, CHOSEN[variable])
        return expression


def dashboard(file: Path) -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(file.read_text())
    return content


def panels(content: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All panels that are no rows."""
    return (panel for panel in content["panels"] if panel["type"] != "row")


def asked(content: Mapping[str, Any]) -> Iterator[Asked]:
    for panel in panels(content):
        for target in panel["targets"]:
            about = content["title"], panel["title"], panel["type"], target["refId"]
            yield Asked(*about, target["expr"], target.get("legendFormat", ""))


def variables(content: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    return {each["name"]: each for each in content["templating"]["list"]}


def metrics(expression: str) -> set[str]:
    """Names of metrics in an expression; whatever else is not understood counts as one."""
    by_matcher = {name for found in _NAMED.findall(expression) for name in found.split("|")}
    bare = _NO_NAMES.sub(" ", expression)
    bare = re.sub(r"\{[^}]*\}", " ", bare)
    names = {name for name in _NAME.findall(bare) if name.lower() not in _WORDS}
    return names | by_matcher
