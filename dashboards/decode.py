"""Decode: its memory by both signals, and the workers that each asks for."""

from dashboards.board import Panel
from dashboards.panels import graph
from dashboards.query import ONE_SERVICE, Query, of_role, recorded
from dashboards.replicas import replicas, serving
from dashboards.words import DECODE
from pd_exporter.policy import COVERAGE, DECODE_MEMORY_THRESHOLD, KV_DEMAND_THRESHOLD

_CACHE_MATCHERS = f'{of_role(DECODE)}, source="$decode_source"'
_MEMORY = "role:pd_gpu_memory_utilization"
_COVERED = {
    "gpu_memory": "{{role}} GPU memory",
    "kv_cache": "{{role}} KV cache, {{source}}",
    "engine": "{{role}} engines",
    "worker": "{{role}} Dynamo workers",
    "frontend": "{{role}} Dynamo frontends",
}

MEMORY = recorded(f"{_MEMORY}:sum", of_role(DECODE))


def cache(name: str) -> str:
    """A recorded series of decode's KV cache, from the source that is chosen."""
    return recorded(f"role:pd_kv_cache_{name}", _CACHE_MATCHERS)


REQUIRED_BY_MEMORY = Query(f"{MEMORY} / {DECODE_MEMORY_THRESHOLD:g}", "required (GPU memory)")
REQUIRED_BY_CACHE = Query(
    f"{cache('demand:sum')} / {KV_DEMAND_THRESHOLD:g}", "required (KV demand)"
)


def panels() -> list[Panel]:
    """Two lines of three."""
    return [*_memory(), _workers(), *_cache(), _coverage()]


def _memory() -> list[Panel]:
    return [
        graph(
            "GPU memory per worker (NVML)",
            "Memory in use, of the worker's GPUs; flat near 90 % while the load changes means that"
            " the engine preallocates, and then only KV demand can scale it.",
            "percentunit",
            [
                Query(recorded(f"{_MEMORY}:avg", ONE_SERVICE), "{{role}} mean"),
                Query(recorded(f"{_MEMORY}:max", ONE_SERVICE), "{{role}} highest"),
            ],
            limit=DECODE_MEMORY_THRESHOLD,
        ),
        graph(
            "GPU memory, all workers",
            "The sum that the trigger on GPU memory sees, in workers; above the threshold of"
            f" {DECODE_MEMORY_THRESHOLD:g} for each desired worker, it adds workers.",
            "short",
            [
                Query(MEMORY, "sum of utilisation"),
                Query(_threshold(DECODE_MEMORY_THRESHOLD), "threshold"),
            ],
        ),
    ]


def _threshold(for_each: float) -> str:
    (desired,) = replicas(DECODE, "desired")
    return f"{for_each:g} * {desired.expression}"


def _workers() -> Panel:
    return graph(
        "Decode workers",
        "What each trigger asks for, and what there is; the ScaledObject says which of them counts,"
        " and the HPA follows it between min and max.",
        "short",
        [
            REQUIRED_BY_CACHE,
            REQUIRED_BY_MEMORY,
            *replicas(DECODE, "desired", "ready"),
            serving(DECODE),
            *replicas(DECODE, "min", "max"),
        ],
    )


def _cache() -> list[Panel]:
    return [
        graph(
            "KV cache per worker",
            "KV-cache utilisation as the engines tell it; near 100 % requests are preempted or"
            " wait, and the highest far above the mean is a router that spreads them badly.",
            "percentunit",
            [
                Query(cache("utilization:avg"), "mean"),
                Query(cache("utilization:max"), "highest"),
            ],
            limit=KV_DEMAND_THRESHOLD,
        ),
        graph(
            "KV cache, all workers",
            "Demand counts waiting requests too, so it rises above what is used once the cache is"
            f" full; above the threshold of {KV_DEMAND_THRESHOLD:g} for each desired worker, the"
            " trigger on KV demand adds workers.",
            "short",
            [
                Query(cache("demand:sum"), "demand"),
                Query(cache("utilization:sum"), "sum of utilisation"),
                Query(_threshold(KV_DEMAND_THRESHOLD), "threshold"),
            ],
        ),
    ]


def _coverage() -> Panel:
    return graph(
        "Coverage",
        f"Share of the workers that report; below {COVERAGE:.0%} what is made of it is absent and"
        " the HPA stands still, so look at what no longer reports.",
        "percentunit",
        [
            Query(recorded(f"role:pd_{name}_coverage:ratio", ONE_SERVICE), legend)
            for name, legend in _COVERED.items()
        ],
        limit=COVERAGE,
    )
