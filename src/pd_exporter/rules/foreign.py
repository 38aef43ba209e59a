"""Metrics of engines, frontends and Prometheus itself that rules, alerts and dashboards read.

Read in source, not run: vLLM v1/metrics/loggers.py, SGLang srt/observability/metrics_collector.py,
Dynamo lib/llm/src/http/service/metrics.rs, lib/runtime/src/metrics/frontend_perf.rs and
components/src/dynamo/common/utils/prometheus.py, TensorRT-LLM metrics/collector.py.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Foreign:
    """A metric that others expose.

    Attributes:
        name: As it is exposed.
        kind: counter or gauge.
        labels: Those that are read here.
        meaning: What it is, and what has to be known of it.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def names(self) -> tuple[str, ...]:
        """As Prometheus may store it.

        prometheus_client writes OpenMetrics with an underscore for a colon, unless the scraper says
        that it takes other names, as Prometheus does from 3.0 on.
        """
        return tuple(dict.fromkeys((self.name, self.name.replace(":", "_"))))

    def series(self, matchers: str = "") -> tuple[str, ...]:
        """A selector for each of the names."""
        return tuple(f"{name}{{{matchers}}}" if matchers else name for name in self.names)


def _gauge(name: str, meaning: str, *labels: str) -> Foreign:
    return Foreign(name, "gauge", labels, meaning)


def _counter(name: str, meaning: str, *labels: str) -> Foreign:
    return Foreign(name, "counter", labels, meaning)


TOTAL = 'priority=""'
"""Matches the total of SGLang's gauges: with priorities there is a copy for each of them."""

VLLM_RUNNING = _gauge("vllm:num_requests_running", "Requests in the current batch.", "engine")
VLLM_WAITING = _gauge(
    "vllm:num_requests_waiting",
    "Requests that wait for the batch; those that wait for another engine's KV cache too.",
    "engine",
)
VLLM_WAITING_BY_REASON = _gauge(
    "vllm:num_requests_waiting_by_reason",
    "The same, by what for: capacity, or deferred, which has its blocks already (from March 2026).",
    "engine",
    "reason",
)
VLLM_KV = _gauge(
    "vllm:kv_cache_usage_perc",
    "Share of the KV cache's blocks that live requests hold, 0 to 1.",
    "engine",
)
VLLM_KV_OLD = _gauge(
    "vllm:gpu_cache_usage_perc", "Its name until 0.9; removed in November 2025.", "engine"
)
VLLM_SLEEP = _gauge(
    "vllm:engine_sleep_state",
    "1 for the state that the engine is in; absent in versions without sleep.",
    "sleep_state",
)
VLLM_FINISHED = _counter(
    "vllm:request_success_total",
    "Requests that finished; those that clients gave up are not counted.",
    "engine",
    "finished_reason",
)
SGLANG_RUNNING = _gauge(
    "sglang:num_running_reqs",
    "Requests in the current batch; 0 on prefill engines before July 2026. With priorities the"
    " total has an empty priority.",
    "dp_rank",
    "priority",
)
SGLANG_QUEUE = _gauge(
    "sglang:num_queue_reqs",
    "Requests that wait for the batch.",
    "dp_rank",
    "engine_type",
    "priority",
)
SGLANG_PREALLOC = _gauge(
    "sglang:num_decode_prealloc_queue_reqs",
    "On decode engines, requests that have no KV cache yet.",
    "dp_rank",
    "priority",
)
SGLANG_TRANSFER = _gauge(
    "sglang:num_decode_transfer_queue_reqs",
    "On decode engines, requests whose KV cache is on its way; they hold memory.",
    "dp_rank",
    "priority",
)
SGLANG_KV = _gauge(
    "sglang:token_usage",
    "Share of the KV cache that live requests hold, 0 to 1; what the prefix cache may evict is"
    " free.",
    "dp_rank",
)
SGLANG_FINISHED = _counter(
    "sglang:num_requests_total",
    "Requests that finished; on prefill engines once their KV cache was sent.",
)
TRTLLM_RUNNING = _gauge("trtllm_num_requests_running", "Requests in the current batch.")
TRTLLM_WAITING = _gauge("trtllm_num_requests_waiting", "Requests that wait for the batch.")
TRTLLM_KV = _gauge("trtllm_kv_cache_utilization", "Share of the KV cache's blocks in use, 0 to 1.")
TRTLLM_FINISHED = _counter("trtllm_request_success_total", "Requests that finished.")

DYNAMO_STAGE = _gauge(
    "dynamo_frontend_stage_requests",
    "Requests of a frontend by stage: route, until a worker is chosen, the router's queue included;"
    " dispatch, until that worker's first answer (from April 2026).",
    "stage",
    "phase",
)
DYNAMO_STARTED = _counter(
    "dynamo_frontend_requests_started_total", "Requests that came to a frontend (from May 2026)."
)
DYNAMO_ENDED = _counter(
    "dynamo_frontend_requests_total", "Requests that a frontend has answered or given up."
)
DYNAMO_TAKEN = _counter(
    "dynamo_component_requests_total",
    "Requests that a worker has taken, counted at their start.",
    "dynamo_endpoint",
)
DYNAMO_INFLIGHT = _gauge(
    "dynamo_component_inflight_requests",
    "Requests that a worker has taken and not ended; there once its model serves.",
    "dynamo_endpoint",
)
DYNAMO_KV = _gauge(
    "dynamo_component_gpu_cache_usage_percent",
    "Share of the KV cache's blocks in use, 0 to 1; absent on prefill workers.",
    "dp_rank",
)
UP = _gauge("up", "Prometheus' own: whether the last scrape of a target succeeded.", "job")

FOREIGN = (
    VLLM_RUNNING,
    VLLM_WAITING,
    VLLM_WAITING_BY_REASON,
    VLLM_KV,
    VLLM_KV_OLD,
    VLLM_SLEEP,
    VLLM_FINISHED,
    SGLANG_RUNNING,
    SGLANG_QUEUE,
    SGLANG_PREALLOC,
    SGLANG_TRANSFER,
    SGLANG_KV,
    SGLANG_FINISHED,
    TRTLLM_RUNNING,
    TRTLLM_WAITING,
    TRTLLM_KV,
    TRTLLM_FINISHED,
    DYNAMO_STAGE,
    DYNAMO_STARTED,
    DYNAMO_ENDED,
    DYNAMO_TAKEN,
    DYNAMO_INFLIGHT,
    DYNAMO_KV,
    UP,
)
"""All of them."""

SIGNS_OF_LIFE = (
    *VLLM_RUNNING.series(),
    *SGLANG_RUNNING.series(),
    TRTLLM_KV.name,
    f'{DYNAMO_INFLIGHT.name}{{dynamo_endpoint="generate"}}',
)
"""What only a worker exposes whose model is loaded."""
