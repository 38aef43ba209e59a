"""What scales the roles: adapter, HPA and ScaledObject, and what keeps them from it."""

from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.models.dashboard import DashboardLinkType

from dashboards.board import Panel
from dashboards.panels import EITHER, NO, graph
from dashboards.prefill import HEADROOM
from dashboards.query import ONE_SERVICE, Query, highest, latest, of_role, recorded
from dashboards.states import states
from dashboards.tables import of_links, table
from dashboards.words import DECODE, PREFILL
from pd_exporter.catalogue import roles
from pd_exporter.rules.alerts.alert import RUNBOOK_URL

_CONDITIONS = {
    "adapter bound": roles.ADAPTER_BOUND,
    "adapter selector": roles.ADAPTER_SELECTOR_PRESENT,
    "HPA active": roles.HPA_ACTIVE,
    "ScaledObject ready": roles.SCALEDOBJECT_READY,
    "ScaledObject active": roles.SCALEDOBJECT_ACTIVE,
    "fallback": roles.SCALEDOBJECT_FALLBACK,
    "paused": roles.SCALEDOBJECT_PAUSED,
    "blocked": roles.COORDINATION_BLOCKED,
}
_BEYOND_YES = {"ScaledObject active": EITHER, "fallback": NO, "paused": NO, "blocked": NO}

RATIO = Query(recorded("group:pd_prefill_decode_ready:ratio", ONE_SERVICE), "now")
TARGET = Query(latest(roles.TARGET_RATIO, ONE_SERVICE), "target")


def panels() -> list[Panel]:
    """Conditions of both roles, then what scales them."""
    return [
        _conditions("Prefill: conditions", PREFILL),
        _conditions("Decode: conditions", DECODE),
        graph(
            "Headroom",
            "Workers that may still be added to prefill before its max; below 0 more are required"
            " than the HPA may start, so raise maxReplicas.",
            "short",
            [Query(HEADROOM, "prefill")],
            limit=0,
            signed=True,
        ),
        *_facts(),
        graph(
            "Ready prefill per decode",
            "Prefill workers for each one of decode, against the target; far from it, one role"
            " waits for the other.",
            "none",
            [RATIO, TARGET],
        ),
    ]


def _conditions(title: str, role: str) -> Panel:
    queries = [Query(latest(desc, of_role(role)), name) for name, desc in _CONDITIONS.items()]
    return states(
        title,
        "Each has to be green for replicas to follow the trigger (active: whether it asks for any);"
        " red names what to repair first, from the top.",
        queries,
        others=_BEYOND_YES,
    )


def _facts() -> list[Panel]:
    labels = ("role", "adapter", "kind", "version", "hpa", "scaledobject")
    alerts = ("alertname", "role", "severity")
    firing = highest(f'ALERTS{{alertstate="firing", {ONE_SERVICE}}}', alerts)
    return [
        table(
            "Adapter, HPA and ScaledObject",
            "The objects that scale each role; an empty cell is one that is not there.",
            labels,
            [Query(latest(roles.ADAPTER_INFO, ONE_SERVICE, labels), "")],
            width=9,
        ),
        table(
            "Which alerts fire",
            "Alerts of this service that fire now; a name leads to the runbook.",
            alerts,
            [Query(firing, "")],
            width=7,
            columns={"alertname": of_links("Runbook", RUNBOOK_URL + "#${__value.text}")},
        ).no_value("none"),
    ]


def link(title: str, url: str) -> DashboardLink:
    """A link from a panel, in a new tab."""
    link = DashboardLink(title).type(DashboardLinkType.LINK).url(url)
    return link.target_blank(target_blank=True)
