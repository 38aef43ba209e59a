"""What is scraped of a service of five frontends, five prefill and five decode instances.

Every source tells of the same load, steady and without chance, and each of another backlog. The
queues of prefill are two, the exporter's replicas are two and tell the same, and each pod of decode
is on a node of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.keda_queries_store import Series, Values
from tests.prometheus import labels

BEGIN = 1_700_000_010
"""When everything begins, as Unix time; a multiple of the interval of scrapes."""
STEP = 15
INSTANCES = 5
REPLICAS = ("pd-exporter-0", "pd-exporter-1")
QUEUES = {"one": 1 / 3, "two": 2 / 3}
"""Streams, and their shares of what waits."""

Told = tuple[str, Mapping[str, str], float]
"""A metric, its labels and value."""


class Fate(StrEnum):
    """What becomes of a service from some scrape on."""

    NONE = "none"
    ONE_REPLICA = "one-replica"
    """One of the exporter's replicas goes."""
    ONE_INSTANCE = "one-instance"
    """One instance of each role goes: four of five are 80 %."""
    INSTANCES = "instances"
    """Two go: three are 60 %."""
    EXPORTER = "exporter"
    """All exporters go, and their targets' series end with staleness markers."""
    STOPPED = "stopped"
    """Samples of all targets stop without markers, as where an agent has sent them from afar."""
    QUEUE = "queue"
    """One of the two queues is not read any more."""
    CONSUMER = "consumer"
    """Neither is, as their consumer is gone."""

    def takes(self, target: str) -> bool:
        """Whether a target is down."""
        number = target.rpartition("-")[2]
        match self:
            case Fate.ONE_REPLICA:
                return target == REPLICAS[0]
            case Fate.ONE_INSTANCE:
                return target not in REPLICAS and number == "4"
            case Fate.INSTANCES:
                return target not in REPLICAS and number in ("3", "4")
            case Fate.EXPORTER:
                return target.startswith("pd-exporter")
        return False

    def hides(self, stream: str) -> bool:
        """Whether a queue is not read."""
        return self is Fate.CONSUMER or (self is Fate.QUEUE and stream == "two")


@dataclass(frozen=True)
class Service:
    """A service's figures.

    Attributes:
        namespace: Its namespace.
        group: Its group.
        fate: What becomes of it.
        rate: Requests per second.
        seconds: That each takes a slot of a prefill worker.
        slots: Of a prefill worker.
        queued: Messages that no worker has fetched.
        unacknowledged: Messages that one has.
        routed: Requests that a frontend has no worker for.
        waiting: Requests that wait in the engines of prefill.
        kv: Mean share of a decode instance's KV cache that is in use, as its engine tells it.
        asking: Requests that wait for KV cache, for each that holds some.
        dynamo_kv: That mean share, as Dynamo tells it.
        memory: Mean share of a decode instance's GPU memory in use.
    """

    namespace: str
    group: str
    fate: Fate = Fate.NONE
    rate: float = 6
    seconds: float = 2
    slots: int = 5
    queued: int = 24
    unacknowledged: int = 3
    routed: int = 30
    waiting: int = 60
    kv: float = 0.3
    asking: float = 0.5
    dynamo_kv: float = 0.4
    memory: float = 0.5


class Scrapes:
    """The scrapes of a service, one after the other."""

    def __init__(self, service: Service) -> None:
        self._of = service
        self._identity = {"namespace": service.namespace, "group": service.group}
        self._last: Mapping[Series, float] = {}

    def at(self, step: int, fate: Fate = Fate.NONE) -> Values:
        """What is stored of those of a step, with markers for what was there before."""
        if fate is Fate.STOPPED:
            return {}
        found: dict[Series, float] = {}
        for target, told in self._pages(step, fate):
            place = {"job": target.rpartition("-")[0], "instance": target}
            if not target.startswith("pd-exporter"):
                place |= {"namespace": self._of.namespace, "pod": target}
                found["up", labels(**place)] = not fate.takes(target)
            if not fate.takes(target):
                found |= {(name, labels(**of, **place)): value for name, of, value in told}
        gone = dict.fromkeys(self._last.keys() - found.keys())
        self._last = found
        return {**found, **gone}

    def _pages(self, step: int, fate: Fate) -> Iterator[tuple[str, list[Told]]]:
        for replica in REPLICAS:
            yield replica, [*self._queues(step, fate), *self._roles()]
        for number in range(INSTANCES):
            yield self._pod("frontend", number), [*self._frontend(step)]
            yield self._pod("prefill", number), [*self._prefill(step)]
            yield self._pod("decode", number), [*self._decode(number)]
            yield f"pd-exporter-node-{number}", [*self._gpu(number)]

    def _pod(self, role: str, number: int) -> str:
        return f"{self._of.group}-{role}-{number}"

    def _queues(self, step: int, fate: Fate) -> Iterator[Told]:
        it, passed = self._of, step * STEP * self._of.rate
        values = {
            "pending_messages": it.queued,
            "ack_pending_messages": it.unacknowledged,
            "waiting_pulls": INSTANCES * it.slots - it.rate * it.seconds,
            "enqueued_messages_total": 9000 + passed,
            "delivered_messages_total": 8000 + passed,
        }
        for stream, share in QUEUES.items():
            of = self._identity | {"role": "prefill", "stream": stream, "consumer": "worker-group"}
            yield "pd_queue_up", of, not fate.hides(stream)
            yield "pd_queue_info", of | {"ack": "on_dequeue"}, 1
            yield "pd_queue_worker_concurrency", of, it.slots
            yield "pd_queue_service_prior_seconds", of, it.seconds
            if not fate.hides(stream):
                yield from ((f"pd_queue_{name}", of, share * all_) for name, all_ in values.items())

    def _roles(self) -> Iterator[Told]:
        for role in ("frontend", "prefill", "decode"):
            of = self._identity | {"role": role}
            yield "pd_role_replicas_ready", of, INSTANCES
            yield "pd_role_replicas_max", of, 6
            yield "pd_role_worker_concurrency", of, self._of.slots
            yield "pd_role_service_prior_seconds", of, self._of.seconds
            for pod in (self._pod(role, number) for number in range(INSTANCES)):
                instance = of | {"role_instance": pod}
                yield "pd_role_instance_ready_timestamp_seconds", instance, BEGIN - 3600
                yield "pd_pod_info", instance | {"pod": pod, "node": "gpu-1"}, 1

    def _frontend(self, step: int) -> Iterator[Told]:
        it, stage = self._of, "dynamo_frontend_stage_requests"
        inside = it.rate * it.seconds
        yield stage, {"stage": "route", "phase": "prefill"}, it.routed / INSTANCES
        yield stage, {"stage": "dispatch", "phase": "prefill"}, inside / INSTANCES
        started = step * STEP * it.rate / INSTANCES
        yield "dynamo_frontend_requests_started_total", {"endpoint": "completions"}, 500 + started

    def _prefill(self, step: int) -> Iterator[Told]:
        it, of = self._of, {"dynamo_endpoint": "generate"}
        ended = 400 + step * STEP * it.rate / INSTANCES
        inside = it.rate * it.seconds / INSTANCES
        yield "dynamo_component_requests_total", of, ended + inside
        yield "dynamo_component_inflight_requests", of, inside
        yield "vllm:num_requests_running", {"engine": "0"}, inside
        yield "vllm:num_requests_waiting", {"engine": "0"}, it.waiting / INSTANCES
        yield "vllm:request_success_total", {"engine": "0", "finished_reason": "length"}, ended

    def _decode(self, number: int) -> Iterator[Told]:
        it = self._of
        yield "dynamo_component_inflight_requests", {"dynamo_endpoint": "generate"}, 20
        yield "vllm:num_requests_running", {"engine": "0"}, 20
        yield "vllm:num_requests_waiting", {"engine": "0"}, 20 * it.asking
        yield "vllm:kv_cache_usage_perc", {"engine": "0"}, around(it.kv, number)
        yield "dynamo_component_gpu_cache_usage_percent", {}, around(it.dynamo_kv, number)

    def _gpu(self, number: int) -> Iterator[Told]:
        pod, node = self._pod("decode", number), f"gpu-{number}"
        of = self._identity | {"role": "decode", "role_instance": pod, "pod": pod, "node": node}
        of |= {"container": "engine", "uuid": f"GPU-{self._of.group}-{number}"}
        yield "pd_pod_gpu_memory_limit_bytes", of, 80e9
        yield "pd_pod_gpu_memory_used_bytes", of, 80e9 * around(self._of.memory, number)


def around(mean: float, number: int) -> float:
    """What is an instance's own, where the mean over all of them is given."""
    return mean * (1 + (number - (INSTANCES - 1) / 2) / 10)
