"""The exporter's configuration for the demo."""

from collections.abc import Mapping
from pathlib import Path

from pd_exporter.demo.plan import (
    CONSUMER,
    GROUP,
    NAMESPACE,
    NODE,
    ROLE,
    STREAM,
    WAIT_GOAL_SECONDS,
    Plan,
)


def exporter_config(
    plan: Plan, nats_url: str, api_url: str, decode_pods: int, gpus: Path | None
) -> Mapping[str, object]:
    """Make the configuration of an exporter that reads all there is.

    Args:
        plan: The burst.
        nats_url: The queue's server.
        api_url: The Kubernetes API.
        decode_pods: How many pods serve Decode.
        gpus: File of the pods' GPUs; None leaves GPUs out.
    """
    group = {"namespace": NAMESPACE, "group": GROUP}
    assumed = {"worker_concurrency": 1, "service_prior_seconds": plan.service_seconds}
    queue = {"stream": STREAM, "consumer": CONSUMER, "role": ROLE, "ack": "on_dequeue"}
    settings = {"role": ROLE, "wait_goal_seconds": WAIT_GOAL_SECONDS}
    config: dict[str, object] = {
        "nats": {"default": {"servers": [nats_url]}},
        "queues": [group | queue | assumed],
        "kubernetes": {"server": api_url},
        "roles": {
            "namespaces": [NAMESPACE],
            "settings": [group | settings | assumed],
            "ratios": [group | {"prefill_per_decode": plan.workers / decode_pods}],
        },
    }
    if gpus is not None:
        config["gpu"] = {"node": NODE, "simulation": str(gpus)}
    return config
