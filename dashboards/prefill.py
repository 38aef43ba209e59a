"""Prefill: its backlog, what it asks for, and from what that follows."""

from dashboards.board import Panel
from dashboards.panels import graph
from dashboards.query import ROLE, Query, highest, of_role, read, recorded
from dashboards.replicas import goal, replicas, serving
from dashboards.words import HIGHEST_REQUIRED, PREFILL
from pd_exporter.catalogue import queue, roles
from pd_exporter.policy import (
    REQUIRED_WORKERS,
    SCALE_DOWN_WINDOW_SECONDS,
    TUTORIAL_LAG_THRESHOLD,
)

_MATCHERS = f'{of_role(PREFILL)}, source="$source"'


def load(name: str) -> str:
    """A recorded series of prefill, from the source that is chosen."""
    return recorded(f"role:pd_{name}", _MATCHERS)


WAIT = load("wait_seconds:max")
REQUIRED = load("required_workers:sum")
HEADROOM = load("headroom_workers:sum")

_WINDOW = f"{SCALE_DOWN_WINDOW_SECONDS}s"
# What has no value now must not show one of the past.
_HIGHEST_REQUIRED = f"max_over_time({REQUIRED}[{_WINDOW}]) and {REQUIRED}"
_PRIOR = highest(
    f"{read(roles.SERVICE_PRIOR, of_role(PREFILL))} or"
    f" {read(queue.SERVICE_PRIOR, of_role(PREFILL))}",
    ROLE,
)


def panels() -> list[Panel]:
    """Two lines of three."""
    return [*_state(), *_causes()]


def _state() -> list[Panel]:
    (desired,) = replicas(PREFILL, "desired")
    threshold = f"{TUTORIAL_LAG_THRESHOLD} * {desired.expression}"
    return [
        graph(
            "Backlog",
            "Requests that no worker has begun, and lag as KEDA counts it; above the threshold of"
            f" {TUTORIAL_LAG_THRESHOLD} for each desired worker, the trigger on lag adds workers.",
            "short",
            [
                Query(load("lag_messages:sum"), "lag"),
                Query(load("pending_requests:sum"), "pending"),
                Query(threshold, "threshold"),
            ],
        ),
        graph(
            "Wait",
            "How long the oldest request has waited for a worker; above the goal, prefill has too"
            " few workers now.",
            "s",
            [Query(WAIT, "wait"), Query(goal(WAIT), "goal")],
        ),
        graph(
            "Prefill workers",
            "Desired rises to required at once and falls to its highest of"
            f" {SCALE_DOWN_WINDOW_SECONDS // 60} min; ready behind desired are pods that cannot"
            " start, serving behind ready are models that load.",
            "short",
            [
                Query(REQUIRED, "required"),
                Query(_HIGHEST_REQUIRED, HIGHEST_REQUIRED),
                *replicas(PREFILL, "desired", "ready"),
                serving(PREFILL),
                *replicas(PREFILL, "min", "max"),
            ],
        ),
    ]


def _causes() -> list[Panel]:
    parameters = REQUIRED_WORKERS
    return [
        graph(
            "Arrivals and deliveries",
            "Requests that come, and those that workers take; arrivals above deliveries for long"
            " are a backlog that grows.",
            "reqps",
            [
                Query(load("arrivals:rate1m"), "arrivals, 1 min"),
                Query(load("arrivals:rate5m"), "arrivals, 5 min"),
                Query(load("deliveries:rate1m"), "deliveries, 1 min"),
            ],
        ),
        graph(
            "Service time",
            "Mean time that a worker needs for a request; where it follows no load, it is the"
            " configured prior that required workers rest on.",
            "s",
            [Query(load("service_seconds:avg1h"), "measured"), Query(_PRIOR, "prior")],
        ),
        graph(
            "Load",
            "Workers that the arrivals keep busy in the mean (offered), and workers busy now;"
            f" required is offered, {parameters.headroom:g} times its root, and what drains the"
            f" backlog in {parameters.drain_seconds:g} s.",
            "short",
            [
                Query(load("offered_workers:sum"), "offered"),
                Query(load("busy_workers:sum"), "busy"),
                serving(PREFILL),
                Query(REQUIRED, "required"),
            ],
        ),
    ]
