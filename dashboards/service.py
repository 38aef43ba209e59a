"""One service: whether it keeps up, what it will do next, and why."""

from dashboards import decode, prefill, scaling
from dashboards.board import Board, Panel
from dashboards.panels import YES, stat, thresholds, words
from dashboards.query import ONE_SERVICE, ROLE, Query, highest, of_role, recorded
from dashboards.replicas import goal, replicas
from dashboards.variables import one_service
from dashboards.words import DECODE, PREFILL
from pd_exporter.policy import DECODE_MEMORY_THRESHOLD, KV_DEMAND_THRESHOLD
from pd_exporter.rules.alerts.alert import RUNBOOK_URL


def board() -> Board:
    """The dashboard to begin with."""
    return Board(
        uid="pd-service",
        title="PD autoscaling: service",
        description="Whether a service keeps up, what its autoscalers will do next, and why.",
        variables=one_service(),
        rows={
            "Now": [*_prefill_now(), *_decode_now()],
            "Prefill": prefill.panels(),
            "Decode": decode.panels(),
            "What scales it": scaling.panels(),
        },
    )


def _prefill_now() -> list[Panel]:
    keeps_up = f"{highest(prefill.WAIT, ROLE)} <= bool {goal(prefill.WAIT)}"
    return [
        stat(
            "Prefill keeps up",
            "Yes while the oldest request waits no longer than the goal: then nothing is to be"
            " done, whatever the other numbers say.",
            "none",
            [Query(keeps_up, "keeps up")],
            width=4,
        ).mappings([words(YES)]),
        stat(
            "Prefill wait",
            "How long the oldest request has waited for a worker, against the goal: above it,"
            " prefill has too few workers now.",
            "s",
            [Query(prefill.WAIT, "wait"), Query(goal(prefill.WAIT), "goal")],
            width=6,
        ),
        stat(
            "Prefill workers now",
            "Desired follows required, rounded up; ready below desired means that pods are on"
            " their way or cannot start.",
            "none",
            [
                Query(prefill.REQUIRED, "required"),
                *replicas(PREFILL, "desired", "ready", "max"),
            ],
            width=10,
        ),
        stat(
            "Prefill headroom",
            "Workers that may still be added before max; below 0 more are required than the HPA"
            " may start, so raise maxReplicas.",
            "none",
            [Query(prefill.HEADROOM, "headroom")],
            width=4,
            steps={"headroom": thresholds((0, "green"), base="red")},
        ).decimals(1),
    ]


def _decode_now() -> list[Panel]:
    memory = recorded("role:pd_gpu_memory_utilization:avg", of_role(DECODE))
    cache = decode.cache("utilization:avg")
    firing = f'count(ALERTS{{alertstate="firing", {ONE_SERVICE}}})'
    steps = {
        "GPU memory": thresholds((DECODE_MEMORY_THRESHOLD, "red"), base="green"),
        "KV cache": thresholds((KV_DEMAND_THRESHOLD, "red"), base="green"),
    }
    return [
        stat(
            "Firing alerts",
            "Alerts of this service; none where no alert fires, or where the alerting rules are"
            " not loaded.",
            "none",
            [Query(firing, "firing")],
            width=3,
        )
        .no_value("none")
        .data_links([scaling.link("Runbook", RUNBOOK_URL)]),
        stat(
            "Prefill per decode",
            "Prefill workers for each one of decode, against the target: far from it, one role"
            " waits for the other.",
            "none",
            [scaling.RATIO, scaling.TARGET],
            width=5,
        ).decimals(2),
        stat(
            "Decode memory, mean",
            "Mean use per decode worker; red above the trigger's threshold, where more workers are"
            " asked for.",
            "percentunit",
            [Query(memory, "GPU memory"), Query(cache, "KV cache")],
            width=6,
            steps=steps,
        ).decimals(0),
        stat(
            "Decode workers now",
            "Required by the trigger on KV demand; the one on GPU memory is below, and the"
            " ScaledObject says which one counts.",
            "none",
            [
                decode.REQUIRED_BY_CACHE,
                *replicas(DECODE, "desired", "ready", "max"),
            ],
            width=10,
        ),
    ]
