"""Alerts on the exporter itself: without it there is no signal, and no other alert."""

from pd_exporter.catalogue import gpu, own, roles
from pd_exporter.rules.alerts.alert import LOST_WINDOW, AlertGroup, AlertRule, Severity
from pd_exporter.rules.foreign import UP
from pd_exporter.rules.rule import highest, is_fresh

_TARGET = "job, instance"
_SUCCESS = own.COLLECTOR_SUCCESS.name
_RAN = f"max by (collector) (present_over_time({_SUCCESS}[{LOST_WINDOW}]))"
_OF_EXPORTERS = f"on ({_TARGET}) present_over_time({own.BUILD_INFO.name}[{LOST_WINDOW}])"

_OF_ROLES = highest("source_namespace, resource", roles.SOURCE_UP.name)
# Processes are told only in the host's PID namespace, which is a choice.
_OF_NODE = highest("node, source", f'{gpu.SOURCE_UP.name}{{source!="processes"}}')

GROUP = AlertGroup(
    "pd_exporter_alerts",
    "The exporter: whether it runs, and whether it sees what it has to see. Its targets are known"
    " by what they exposed in the last 6 hours, not by the name of their job.",
    (
        AlertRule(
            "PdCollectorGone",
            f"{_RAN} unless {highest('collector', _SUCCESS)}",
            Severity.CRITICAL,
            "No exporter runs the collector {{ $labels.collector }} any more",
            "It ran in the last 6 hours, and no page that Prometheus scrapes has it now. Its"
            " signals are gone, and so are the alerts that stand on them.",
            "2m",
        ),
        AlertRule(
            "PdExporterDown",
            f"{UP.name} == 0 and {is_fresh(UP.name)} and {_OF_EXPORTERS}",
            Severity.WARNING,
            "The exporter at {{ $labels.instance }} (job {{ $labels.job }}) cannot be scraped",
            "Prometheus knows the target and gets no page from it. Of the Deployment another"
            " replica may still tell all; of the DaemonSet the node's GPU memory is missing.",
            "5m",
        ),
        AlertRule(
            "PdCollectorFailing",
            f"{highest(f'{_TARGET}, collector', _SUCCESS)} == 0",
            Severity.WARNING,
            "The collector {{ $labels.collector }} fails at {{ $labels.instance }}",
            "It does not end within the scrape's time, or ends with an error of its own; its series"
            " are missing from the page. The exporter's log has the error.",
            "5m",
        ),
        AlertRule(
            "PdSourceNotWatched",
            f"{_OF_ROLES} == 0 or {_OF_NODE} == 0",
            Severity.WARNING,
            "The exporter does not see {{ with $labels.resource }}{{ . }}{{ end }}"
            "{{ with $labels.source }}{{ . }}{{ end }} of"
            " {{ with $labels.source_namespace }}namespace {{ . }}{{ end }}"
            "{{ with $labels.node }}node {{ . }}{{ end }}",
            "A watch of the Kubernetes API, or the kubelet's list of devices, is not up to date."
            " What follows from it is left out or grows old; other alerts may lack their grounds.",
            "5m",
        ),
    ),
)
