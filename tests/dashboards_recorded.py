"""What the recording rules would have made of the scene."""

from collections.abc import Iterator, Mapping

from tests.dashboards_scene import ENGINES_SILENT, QUEUE_LOST, SERVICE_SECONDS, Moment

Recorded = tuple[str, float, Mapping[str, str]]
"""A series' name, its value and labels."""

_GROUP = {"namespace": "default", "group": "dynamo-pd"}


def record(now: Moment) -> Iterator[Recorded]:
    """All recorded series at a moment."""
    ratio = now.ready / now.decode
    yield "group:pd_prefill_decode_ready:ratio", ratio, _GROUP
    for role, serving in {"prefill": now.serving, "decode": now.decode}.items():
        of = _role(role, "pods")
        yield "role:pd_serving_workers:sum", serving, of
    jetstream = _role("prefill", "jetstream")
    yield "role:pd_queue_up:min", now.time not in QUEUE_LOST, jetstream
    if now.time not in QUEUE_LOST:
        for name, value in _load(now).items():
            yield f"role:pd_{name}", value, jetstream
    for role, each, instances in (
        ("prefill", 0.55, now.ready),
        ("decode", now.occupancy, now.decode),
    ):
        yield from _memory("gpu_memory", _role(role, "nvml"), each, instances)
    yield from _cache(now)
    yield "role:pd_engine_coverage:ratio", 1, _role("decode", "engine")
    for who in ("frontend", "worker"):
        yield f"role:pd_{who}_coverage:ratio", 1, _role("prefill", "dynamo")
    if now.required > 6:
        alert = _GROUP | {"alertname": "PdMaxReplicasTooLow", "alertstate": "firing"}
        yield "ALERTS", 1, alert | {"role": "prefill", "severity": "warning"}
    if now.time > 50 * 60:
        alert = _GROUP | {"alertname": "PdGpuLost", "alertstate": "firing"}
        yield "ALERTS", 1, alert | {"role": "decode", "severity": "critical"}


def _role(role: str, source: str) -> dict[str, str]:
    return _GROUP | {"role": role, "source": source}


def _load(now: Moment) -> Mapping[str, float]:
    return {
        "pending_requests:sum": round(now.pending),
        "lag_messages:sum": round(now.pending) + now.time // 15 % 3,
        "wait_seconds:max": round(now.head_age),
        "arrivals:rate1m": now.arriving,
        "arrivals:rate5m": 0.6 * now.arriving + 0.4 * now.taken,
        "deliveries:rate1m": now.taken,
        "busy_workers:sum": now.busy,
        "service_seconds:avg1h": SERVICE_SECONDS + 0.02 * now.occupancy,
        "offered_workers:sum": now.offered,
        "required_workers:sum": now.required,
        "headroom_workers:sum": 6 - now.required,
    }


def _memory(what: str, of: Mapping[str, str], each: float, instances: float) -> Iterator[Recorded]:
    yield f"role:pd_{what}_utilization:sum", each * instances, of
    yield f"role:pd_{what}_utilization:avg", each, of
    yield f"role:pd_{what}_utilization:max", min(1, each * 1.08), of
    yield f"role:pd_{what}_coverage:ratio", 1, of


def _cache(now: Moment) -> Iterator[Recorded]:
    of = _role("decode", "engine")
    if now.time in ENGINES_SILENT:
        yield "role:pd_kv_cache_coverage:ratio", 1 / 3, of
        return
    used = min(0.99, now.occupancy + 0.1)
    yield from _memory("kv_cache", of, used, now.decode)
    waiting = max(0.0, now.occupancy - 0.6)
    yield "role:pd_kv_cache_demand:sum", used * now.decode * (1 + waiting), of
