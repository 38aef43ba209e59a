"""What the demo plays: the names that a Dynamo service uses, and the size of its burst."""

from dataclasses import dataclass
from pathlib import Path

STREAM = "dynamo_prefill_queue"
CONSUMER = "worker-group"
MODEL = "qwen"
NAMESPACE = "default"
NODE = "demo"
"""The Kubernetes node that all pods are said to be on."""
GROUP = "dynamo-pd"
ROLE = "prefill"
DECODE_ROLE = "decode"
ROLES = (ROLE, DECODE_ROLE)
"""Those that hold GPUs, in the order in which they are shown."""
FRONTEND_ROLE = "processor"
"""What RoleBasedGroup's examples call Dynamo's frontend."""

LOADING_REPLICAS = 1
"""Prefill replicas that come with the burst, and load their model until the end of the demo."""

WAIT_GOAL_SECONDS = 5.0
"""How long a request may wait for a Prefill worker, which the usual burst's do not keep."""

PROMPT_TOKENS = 1500

INTERVAL_SECONDS = 2
"""Scrape and rule interval of the demo, so that a burst of a minute has a shape."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A burst: `concurrency` clients, each of which sends when its last request is done.

    The defaults are the tutorial's stress test, served by one replica.
    """

    requests: int = 320
    concurrency: int = 32
    workers: int = 1
    service_seconds: float = 0.2


@dataclass(frozen=True, slots=True)
class Programs:
    """Paths of the programs that the demo starts; without Prometheus it does less."""

    nats_server: Path
    prometheus: Path | None
