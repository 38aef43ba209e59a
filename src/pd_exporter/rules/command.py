"""``pd-exporter rules``: the rules of this version, in the form that is asked for."""

import argparse
import os
import sys

from pd_exporter.rules.alertforms import alert_rules
from pd_exporter.rules.forms import alibaba_v2, prometheus_rule, recording_rules, trigger_queries

FORMS = {
    "recording": recording_rules,
    "alerts": alert_rules,
    "prometheusrule": lambda: prometheus_rule(alert_rules()),
    "alibaba-v2": alibaba_v2,
    "triggers": trigger_queries,
}


def add_rules(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the others."""
    command = commands.add_parser(
        "rules",
        help="print recording rules, alerts, or queries for triggers",
        description="Print the rules as YAML: recording rules or alerts in the plain form of"
        " Prometheus and Alibaba Managed Prometheus V1; both as a PrometheusRule; recording rules"
        " for an aggregation task group of Alibaba Managed Prometheus V2; or the queries of KEDA's"
        " prometheus triggers.",
    )
    command.add_argument("form", choices=FORMS, help="what to print")
    command.set_defaults(run=_print)


def _print(parsed: argparse.Namespace) -> int:
    try:
        sys.stdout.write(FORMS[parsed.form]())
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has gone; Python would complain once more as it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0
