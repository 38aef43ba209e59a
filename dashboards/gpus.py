"""GPUs, the pods on them, and what tells whose they are."""

from dashboards.board import Board, Panel
from dashboards.panels import YES, beside, graph
from dashboards.query import SERVICES, Query, failures, highest, latest, read
from dashboards.states import states
from dashboards.tables import of_unit, of_words, table
from dashboards.variables import nodes, services
from pd_exporter.catalogue import gpu
from pd_exporter.samples import Desc

_NODES = 'node=~"$node"'
_PODS = f"{SERVICES}, {_NODES}"
_DEVICE = "{{node}} {{gpu}}"
_POD = "{{pod}} {{gpu}}"


def board() -> Board:
    """The dashboard of GPUs."""
    return Board(
        uid="pd-gpus",
        title="PD autoscaling: GPUs and pods",
        description="The memory of GPUs and of the pods on them, and how far that is known.",
        variables=(*services(), nodes()),
        rows={"GPUs": _devices(), "Pods": _pods(), "What tells them": _sources()},
    )


def _of_device(desc: Desc, legend: str = _DEVICE) -> Query:
    return Query(latest(desc, _NODES), legend)


def _of_pod(desc: Desc, legend: str = _POD) -> Query:
    return Query(latest(desc, _PODS), legend)


def _named(expression: str) -> str:
    """With label `gpu`, the beginning of the uuid: enough to know it, short enough to be read."""
    return f'label_replace({expression}, "gpu", "$1", "uuid", "(.{{1,12}}).*")'


def _devices() -> list[Panel]:
    used, total = _of_device(gpu.MEMORY_USED), _of_device(gpu.MEMORY_TOTAL)
    part = f"{used.expression} / {total.expression}"
    facts: tuple[str, ...] = (*gpu.DEVICE_LABELS, "index", "model", "mig_profile", "parent_uuid")
    facts = (*facts, "driver", "backend")
    return [
        beside(
            graph(
                "Memory used of total",
                "Near 1 and flat whatever the load, an engine has preallocated the GPU; a line that"
                " ends is a GPU that is no longer read.",
                "percentunit",
                [Query(_named(part), _DEVICE)],
                width=12,
            ).max(1)
        ),
        beside(
            graph(
                "Pods per GPU",
                "Pods that hold the GPU: 0 is an idle GPU, above 1 it is shared and memory is told"
                " by processes.",
                "short",
                [Query(_named(latest(gpu.PODS, _NODES)), _DEVICE)],
                width=12,
            )
        ),
        table(
            "GPUs",
            "What each GPU or MIG instance is and has; where it is not read, its memory is missing"
            " here and pods on it are missing below.",
            facts,
            [
                Query(latest(gpu.INFO, _NODES, facts), ""),
                _of_device(gpu.UP, "read"),
                _of_device(gpu.MEMORY_USED, "used"),
                _of_device(gpu.MEMORY_RESERVED, "reserved"),
                _of_device(gpu.MEMORY_TOTAL, "total"),
                _of_device(gpu.PODS, "pods"),
            ],
            width=24,
            columns={
                "read": of_words(YES),
                "used": of_unit("bytes"),
                "reserved": of_unit("bytes"),
                "total": of_unit("bytes"),
            },
        ),
    ]


def _pods() -> list[Panel]:
    used, limit = _of_pod(gpu.POD_MEMORY_USED), _of_pod(gpu.POD_MEMORY_LIMIT)
    facts = (*gpu.POD_LABELS, "resource", "attribution")
    info = highest(read(gpu.POD_INFO, _PODS), facts)
    joined = f"on ({', '.join(gpu.POD_LABELS)}) group_left (attribution)"
    by_attribution = f"{used.expression} * {joined} {info}"
    return [
        beside(
            graph(
                "Pod memory used of limit",
                "Of the GPU, the MIG instance or the pod's share; near 1 the pod has no room to"
                " grow.",
                "percentunit",
                [Query(_named(f"{used.expression} / {limit.expression}"), _POD)],
                width=12,
            ).max(1)
        ),
        beside(
            graph(
                "Pod memory used, and how it is told",
                "By the device where the pod alone holds it, by its processes where it shares; a"
                " pod without a line is one whose memory cannot be told.",
                "bytes",
                [Query(_named(by_attribution), f"{_POD}, {{{{attribution}}}}")],
                width=12,
            )
        ),
        table(
            "Pods on GPUs",
            "Which pod holds which GPU and plays which role; a role's sum counts only pods whose"
            " group and role are here.",
            facts,
            [
                Query(info, ""),
                _of_pod(gpu.POD_MEMORY_USED, "used"),
                _of_pod(gpu.POD_MEMORY_LIMIT, "limit"),
            ],
            width=24,
            columns={"used": of_unit("bytes"), "limit": of_unit("bytes")},
        ),
    ]


def _sources() -> list[Panel]:
    age = f"time() - {latest(gpu.SOURCE_REFRESHED, _NODES)}"
    return [
        states(
            "NVML",
            "Whether NVML works on the node; where not, none of its GPUs is read.",
            [_of_device(gpu.NVML_UP, "{{node}}")],
            width=4,
        ),
        states(
            "Sources",
            "Whether the node's exporter knows which pod holds what: without kubelet no pod has"
            " memory, without kubernetes none has a role, without processes shared GPUs are no"
            " pod's.",
            [_of_device(gpu.SOURCE_UP, "{{node}} {{source}}")],
        ),
        beside(
            graph(
                "Age of what the sources told",
                "Seconds since each was last up to date; what grows is a source that is lost, and"
                " after some minutes its pods' memory is dropped.",
                "s",
                [Query(age, "{{node}} {{source}}")],
                width=12,
            )
        ),
        beside(
            graph(
                "Errors of GPUs",
                "Readings of GPUs that failed, by node and reason; a reason that stays is a GPU to"
                " drain, and the table above says which.",
                "short",
                [Query(failures(gpu.ERRORS, _NODES, ("node", "reason")), "{{node}}: {{reason}}")],
                width=12,
            )
        ),
        beside(
            graph(
                "Device ids not resolved",
                "Ids that pods hold and that name no known GPU; above 0, memory of these pods is"
                " missing for the reason named.",
                "short",
                [_of_device(gpu.UNRESOLVED, "{{node}} {{reason}}")],
                width=12,
            )
        ),
    ]
