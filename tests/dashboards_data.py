"""Series of all metrics, exposed and recorded, for the scene of tests.dashboards_scene.

Two replicas of the exporter read queues and roles, one on each of two nodes reads GPUs.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pd_exporter.catalogue import own, queue, roles
from pd_exporter.samples import Desc
from tests.dashboards_gpus import Gpus
from tests.dashboards_recorded import record
from tests.dashboards_scene import QUEUE_LOST, STEP, Moment, moments
from tests.prometheus import Labels, Sample, labels

BEGIN = 1_790_000_010
"""When the hour begins, as Unix time; a multiple of the interval of scrapes."""

SERVICE = {"namespace": "default", "group": "dynamo-pd"}
REPLICAS = ("10.0.0.11:9090", "10.0.0.12:9090")
NODES = {"gpu-1": "10.0.1.1:9090", "gpu-2": "10.0.1.2:9090"}
QUEUE = SERVICE | {
    "role": "prefill",
    "stream": "dynamo_prefill_queue",
    "consumer": "worker-group",
}


class History:
    """Samples of series, as Prometheus stores them."""

    def __init__(self) -> None:
        self.series: dict[tuple[str, Labels], list[Sample]] = defaultdict(list)
        self.seconds = BEGIN

    def put(self, name: str, value: float, of: Mapping[str, str]) -> None:
        self.series[name, labels(**of)].append((self.seconds * 1000, float(value)))

    def read(self, desc: Desc, value: float, of: Mapping[str, str]) -> None:
        """What each replica of the Deployment exposes."""
        for instance in REPLICAS:
            self.expose(desc, value, of, instance)

    def expose(self, desc: Desc, value: float, of: Mapping[str, str], instance: str) -> None:
        desc.sample(value, of)  # refuses labels that the metric does not have
        self.put(desc.name, value, dict(of) | target(instance))


def target(instance: str) -> dict[str, str]:
    """What Prometheus adds to every series of a target."""
    job = "pd-exporter" if instance in REPLICAS else "pd-exporter-gpu"
    return {"job": job, "instance": instance}


def series() -> Mapping[tuple[str, Labels], Sequence[Sample]]:
    """The whole hour."""
    history = History()
    gpus = Gpus(NODES)
    for now in moments():
        history.seconds = BEGIN + now.time
        _queue(history, now)
        _roles(history, now)
        for desc, value, of, instance in gpus.samples(now, history.seconds):
            history.expose(desc, value, of, instance)
        _exporter(history, now)
        for name, value, of in record(now):
            history.put(name, value, of)
    return history.series


def _queue(history: History, now: Moment) -> None:
    lost = now.time in QUEUE_LOST
    history.read(queue.UP, not lost, QUEUE)
    missed = max(0, min(now.time, QUEUE_LOST.stop) - QUEUE_LOST.start) // STEP
    history.read(queue.ERRORS, missed, QUEUE | {"reason": "no_leader"})
    facts = {"nats": "main", "ack": "on_dequeue", "retention": "limits", "filtered": "false"}
    history.read(queue.INFO, 1, QUEUE | facts)
    history.read(queue.WORKER_CONCURRENCY, 1, QUEUE)
    history.read(queue.SERVICE_PRIOR, 0.5, QUEUE)
    history.read(queue.CAP, 1200, QUEUE)
    if lost:
        return
    values = {
        queue.PENDING: round(now.pending),
        queue.ACK_PENDING: now.time // 300 % 3,
        queue.REDELIVERED: int(1200 < now.time < 1500),
        queue.WAITING_PULLS: max(0, round(now.serving - now.busy)),
        queue.DELIVERED: 5000 + round(now.delivered),
        queue.ENQUEUED: 5000 + round(now.enqueued),
        queue.EXPIRED: 12 * max(0, min(now.time, 1260) - 1140) // STEP,
        queue.ACK_FLOOR: 5000 + round(now.delivered),
        queue.CREATED_TIMESTAMP: BEGIN - 86400 + 87000 * (now.time > 600),
    }
    if round(now.pending):
        values[queue.HEAD_TIMESTAMP] = history.seconds - round(now.head_age)
    for desc, value in values.items():
        history.read(desc, value, QUEUE)


def _roles(history: History, now: Moment) -> None:
    counts = {
        "prefill": (now.desired, now.ready, 6),
        "decode": (now.decode_desired, now.decode, 4),
    }
    for role, (desired, ready, highest) in counts.items():
        of = SERVICE | {"role": role}
        adapter = f"dynamo-pd-{role}"
        facts = {"adapter": adapter, "kind": "RoleBasedGroupScalingAdapter", "version": "v1alpha1"}
        facts |= {"hpa": f"keda-hpa-{adapter}", "scaledobject": adapter}
        history.read(roles.ADAPTER_INFO, 1, of | facts)
        values = {
            roles.REPLICAS_DESIRED: desired,
            roles.REPLICAS_READY: ready,
            roles.REPLICAS_MIN: 1,
            roles.REPLICAS_MAX: highest,
            roles.SCALEDOBJECT_ACTIVE: role == "decode" or now.pending > 0,
            roles.SCALEDOBJECT_FALLBACK: role == "prefill" and 1770 < now.time < 1900,
            roles.SCALEDOBJECT_PAUSED: False,
            roles.COORDINATION_BLOCKED: role == "prefill" and 1035 < now.time < 1140,
            roles.STARTUP: 120,
            roles.WORKER_CONCURRENCY: 1 if role == "prefill" else 32,
            roles.SERVICE_PRIOR: 0.5,
            roles.WAIT_GOAL: 30,
        }
        well = (
            roles.ADAPTER_BOUND,
            roles.ADAPTER_SELECTOR_PRESENT,
            roles.HPA_ACTIVE,
            roles.SCALEDOBJECT_READY,
        )
        for desc, value in (values | dict.fromkeys(well, 1)).items():
            history.read(desc, value, of)
        for number in range(desired):
            _instance(history, of, f"dynamo-pd-{role}-{number}", ready=number < ready)
    history.read(roles.TARGET_RATIO, 2, SERVICE)
    for resource in ("pods", "horizontalpodautoscalers", "scaledobjects", "scalingadapters"):
        of = {"source_namespace": "default", "resource": resource}
        history.read(roles.SOURCE_UP, resource != "scaledobjects" or now.time > 300, of)


def _instance(history: History, role: Mapping[str, str], name: str, *, ready: bool) -> None:
    instance = dict(role) | {"role_instance": name}
    history.read(roles.INSTANCE_READY, ready, instance)
    if ready:
        history.read(roles.INSTANCE_READY_TIMESTAMP, BEGIN, instance)
    pod = instance | {"pod": name}
    history.read(roles.POD_READY, ready, pod)
    history.read(roles.POD_INFO, 1, pod | {"node": "gpu-1"})


def _exporter(history: History, now: Moment) -> None:
    collectors = {each: {"queue": 0.004, "roles": 0.001} for each in REPLICAS}
    collectors |= {each: {"gpu": 0.012} for each in NODES.values()}
    for instance, durations in collectors.items():
        versions = {"version": "0.3.0", "python": "3.13.1"}
        history.expose(own.BUILD_INFO, 1, versions, instance)
        for collector, seconds in durations.items():
            lost = collector == "queue" and now.time in QUEUE_LOST
            of = {"collector": collector}
            history.expose(own.COLLECTOR_SUCCESS, not lost, of, instance)
            history.expose(own.COLLECTOR_DURATION, 2.0 if lost else seconds, of, instance)
        total = sum(durations.values())
        values = {
            "up": not (instance == REPLICAS[1] and 2400 < now.time < 2500),
            "scrape_duration_seconds": total + 0.004,
            "scrape_samples_scraped": 90 + 12 * now.ready,
            "process_resident_memory_bytes": 58e6 + 400 * now.time,
            "process_cpu_seconds_total": now.time * (0.01 + total),
            "process_open_fds": 23,
        }
        for name, value in values.items():
            history.put(name, value, target(instance))
