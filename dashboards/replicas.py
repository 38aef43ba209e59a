"""What is asked of roles and what there is, as the cluster and the configuration say."""

from collections.abc import Iterator

from dashboards.query import ROLE, Query, highest, latest, of_role, recorded
from dashboards.words import PREFILL
from pd_exporter.catalogue import roles
from pd_exporter.policy import WAIT_GOAL_SECONDS

_REPLICAS = {
    "ready": roles.REPLICAS_READY,
    "desired": roles.REPLICAS_DESIRED,
    "min": roles.REPLICAS_MIN,
    "max": roles.REPLICAS_MAX,
}


def replicas(role: str, *names: str) -> Iterator[Query]:
    """Numbers of replicas of a role of the service: ready, desired, min or max."""
    for name in names:
        yield Query(latest(_REPLICAS[name], of_role(role)), name)


def serving(role: str) -> Query:
    """Role instances that are Ready and show that they serve."""
    return Query(recorded("role:pd_serving_workers:sum", of_role(role)), "serving")


def goal(wait: str) -> str:
    """Seconds that a prefill request may wait: as configured, else as alerts take it."""
    configured = latest(roles.WAIT_GOAL, of_role(PREFILL))
    return f"({configured} or 0 * {highest(wait, ROLE)} + {WAIT_GOAL_SECONDS:g})"
