"""Forms of rules and queries that deploy/ is written with."""

import yaml

from pd_exporter.rules import jetstream
from pd_exporter.rules.forms import comment
from pd_exporter.rules.layout import lay_out
from pd_exporter.rules.load import REQUIRED
from pd_exporter.rules.triggers import SIGNALS

SERVICE = 'namespace="default",group="dynamo-pd",role="prefill"'
"""Matchers of the service that components name until an overlay's values take its place."""

_PATCH = "Written by `make generate` from src/pd_exporter/rules."


def compact(rules: str) -> str:
    """The same rules without comments, each expression on one line.

    It has a little more than half the letters, for where a form or an API takes the text.

    Args:
        rules: YAML with ``groups:`` at its top.
    """
    told = yaml.safe_load(rules)
    for group in told["groups"]:
        for rule in group["rules"]:
            rule["expr"] = " ".join(rule["expr"].split())
    return yaml.safe_dump(told, sort_keys=False, width=float("inf"))


def scraped_required_patch() -> str:
    """What makes of the ScaledObject on required workers one that reads scraped series."""
    (signal,) = (
        each for each in SIGNALS if (each.series, each.source) == (REQUIRED, jetstream.LOAD.source)
    )
    return (
        f"{comment(_PATCH)}"
        "- op: replace\n"
        "  path: /metadata/labels/pd-exporter~1signal\n"
        "  value: required-workers-scraped\n"
        "- op: replace\n"
        "  path: /spec/triggers/0/metadata/query\n"
        "  value: |\n"
        f"{lay_out(signal.scraped(SERVICE), 4)}\n"
    )
