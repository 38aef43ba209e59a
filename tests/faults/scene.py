"""A node with eight GPUs in every kind of use, and the truth about it.

The truth is kept apart from what the exporter is told: a fault may make NVML or the kubelet lie,
and what the page has to say is computed from here, never by code of the exporter.
"""

import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.fake_nvml import GIB, MIB, Gpu, Process, gpu, gpu_instance
from tests.fakes.kube_objects import Object, pod
from tests.fakes.kubelet import KubeletContainer, KubeletPod
from tests.gpu_node import GROUP, NODE, GpuNode, uid_of

GPUS = tuple(gpu(number).uuid for number in range(9))
"""Uuids; the last one is of a GPU that is not there at first."""
MIG_GPU, SHARED_GPU, LIVE_GPU, IDLE_GPU = 4, 5, 6, 7
INSTANCES = (3, 5, 6)
MIGS = {number: gpu_instance(number, gpu=MIG_GPU).compute[0].uuid for number in INSTANCES}
"""Uuids of MIG devices by their GPU instance."""
MIG_TOTAL = 9984 * MIB
LIVE_STEP = 16 * MIB
"""By how much the memory of GPUs that are well grows before each scrape."""
DEVICE_MEMORY = tuple(f"pd_gpu_memory_{each}_bytes" for each in ("used", "total", "reserved"))
POD_MEMORY = tuple(f"pd_pod_gpu_memory_{each}_bytes" for each in ("used", "limit"))
MEMORY = frozenset((*DEVICE_MEMORY, *POD_MEMORY))
"""The series that buy GPUs; the others explain them."""

Key = tuple[str, frozenset[tuple[str, str]]]
Series = dict[Key, float]


def key(name: str, **labels: str) -> Key:
    return name, frozenset(labels.items())


@dataclass
class Unit:
    """What is true of a GPU or MIG GPU instance; a GPU in MIG mode has no memory of its own."""

    uuid: str
    used: int = 0
    total: int = 80 * GIB
    reserved: int = 600 * MIB
    parent: str = ""
    mig: bool = False


@dataclass
class Tenant:
    """A pod on a unit; `used` is what its processes have, where the unit is shared."""

    pod: str
    role: str
    device: str
    instance: str = ""
    used: int | None = None

    @property
    def unit(self) -> str:
        return self.device.partition("::")[0]

    @property
    def resource(self) -> str:
        return "nvidia.com/mig-1g.10gb" if self.device.startswith("MIG") else "nvidia.com/gpu"


@dataclass
class World:
    """What is true now; GPUs in the order of their indexes."""

    units: list[Unit]
    tenants: list[Tenant]
    driver: str = "580.65.06"

    def unit(self, uuid: str) -> Unit:
        return next(unit for unit in self.units if unit.uuid == uuid)

    def tenant(self, name: str) -> Tenant:
        return next(tenant for tenant in self.tenants if tenant.pod == name)

    def series(self) -> Series:
        """What the page says of it while nothing is wrong."""
        series = {
            key("pd_nvml_up", node=NODE): 1.0,
            key("pd_collector_success", collector="gpu"): 1,
        }
        for source in ("kubelet", "kubernetes", "processes"):
            series[key("pd_node_source_up", node=NODE, source=source)] = 1
        for reason in ("shape", "device", "annotation"):
            series[key("pd_gpu_unresolved_device_ids", node=NODE, reason=reason)] = 0
        for unit in self.units:
            series |= self._of_unit(unit)
        for tenant in self.tenants:
            series |= self._of_tenant(tenant)
        return series

    def _of_unit(self, unit: Unit) -> Series:
        where = {"node": NODE, "uuid": unit.uuid}
        card = unit.parent or unit.uuid
        info = {
            "parent_uuid": unit.parent,
            "index": str([each.uuid for each in self.units if not each.parent].index(card)),
            "minor": str(GPUS.index(card)),
            "model": Gpu().name,
            "mig": "on" if unit.mig or unit.parent else "off",
            "mig_profile": "1g.10gb" if unit.parent else "",
            "driver": self.driver,
            "addressing": "none",
            "backend": "nvml",
        }
        series: Series = {key("pd_gpu_up", **where): 1, key("pd_gpu_info", **where, **info): 1}
        if not unit.mig:
            values = (unit.used, unit.total, unit.reserved)
            for name, value in zip(DEVICE_MEMORY, values, strict=True):
                series[key(name, **where)] = value
            holders = sum(tenant.unit == unit.uuid for tenant in self.tenants)
            series[key("pd_gpu_pods", **where)] = holders
        return series

    def _of_tenant(self, tenant: Tenant) -> Series:
        unit = self.unit(tenant.unit)
        who = {
            "namespace": "default",
            "group": GROUP,
            "role": tenant.role,
            "pod": tenant.pod,
            "container": "main",
            "role_instance": tenant.instance or tenant.pod,
            "node": NODE,
            "uuid": unit.uuid,
        }
        how = "device" if tenant.used is None else "process"
        used = unit.used if tenant.used is None else tenant.used
        used_name, limit_name = POD_MEMORY
        return {
            key(used_name, **who): used,
            key(limit_name, **who): unit.total,
            key("pd_pod_gpu_info", **who, resource=tenant.resource, attribution=how): 1,
        }


def healthy_world() -> World:
    """Prefill and Decode on whole GPUs, on MIG instances, and on a shared GPU; GPU 7 idle."""
    units = [Unit(uuid, used=(number + 10) * GIB) for number, uuid in enumerate(GPUS[:8])]
    units[MIG_GPU].mig = True
    units[SHARED_GPU].used = 50 * GIB
    parent = GPUS[MIG_GPU]
    units[MIG_GPU + 1 : MIG_GPU + 1] = [
        Unit(MIGS[number], number * GIB, MIG_TOTAL, 0, parent) for number in INSTANCES
    ]
    shared = GPUS[SHARED_GPU]
    tenants = [
        Tenant("prefill-0", "prefill", GPUS[0]),
        Tenant("prefill-1", "prefill", GPUS[1]),
        Tenant("decode-0", "decode", GPUS[2], instance="decode-replica-0"),
        Tenant("decode-1", "decode", GPUS[3], instance="decode-replica-0"),
        Tenant("prefill-2", "prefill", MIGS[3]),
        Tenant("decode-2", "decode", MIGS[5]),
        Tenant("decode-3", "decode", MIGS[6]),
        Tenant("prefill-3", "prefill", f"{shared}::0", used=20 * GIB),
        Tenant("decode-4", "decode", f"{shared}::1", used=29 * GIB),
        Tenant("decode-5", "decode", GPUS[LIVE_GPU]),
    ]
    return World(units, tenants)


def newcomer() -> Tenant:
    """A pod for the idle GPU."""
    return Tenant("decode-6", "decode", GPUS[IDLE_GPU])


def pod_object(tenant: Tenant, uid: str = "", age_seconds: float = 3600.0) -> Object:
    """The pod as the API server has it."""
    labels = {
        "rbg.workloads.x-k8s.io/group-name": GROUP,
        "rbg.workloads.x-k8s.io/role-name": tenant.role,
        "rbg.workloads.x-k8s.io/role-instance-name": tenant.instance or tenant.pod,
    }
    made = pod(tenant.pod, node=NODE, labels=labels, uid=uid or uid_of(tenant.pod))
    created = datetime.now(UTC) - timedelta(seconds=age_seconds)
    made["metadata"]["creationTimestamp"] = created.strftime("%Y-%m-%dT%H:%M:%SZ")
    return made


class Scene:
    """The node, and the truth about it.

    Attributes:
        world: The truth.
        before: The truth before the last injection or cure.
        listed: What the kubelet tells beside the truth's tenants.
    """

    def __init__(self) -> None:
        self.world = healthy_world()
        self.before = self.world
        self.listed: list[Tenant] = []

    def set_up(self, node: GpuNode) -> None:
        """Make the node as the truth is."""
        self.node = node
        for unit in self.world.units:
            if not unit.parent:
                self.gpu(GPUS.index(unit.uuid)).used = unit.used
        parent, shared = self.gpu(MIG_GPU), self.gpu(SHARED_GPU)
        parent.mig = True
        parent.instances = [gpu_instance(number, gpu=MIG_GPU) for number in INSTANCES]
        shared.processes = [Process(11, 20 * GIB), Process(12, 29 * GIB)]
        node.proc.start(11, "prefill-3")
        node.proc.start(12, "decode-4")
        node.nvml.write()
        for tenant in self.world.tenants:
            node.api.create(pod_object(tenant))
        self.tell_kubelet()

    def gpu(self, number: int) -> Gpu:
        return next(each for each in self.node.nvml.gpus if each.uuid == GPUS[number])

    def tell_kubelet(self) -> None:
        """Have the kubelet tell who holds what."""
        self.node.kubelet.pods = [
            KubeletPod(each.pod, [KubeletContainer({each.resource: [each.device]})])
            for each in (*self.world.tenants, *self.listed)
        ]

    def come(self, tenant: Tenant, uid: str = "") -> None:
        """A pod is made, scheduled, and given its device."""
        self.world.tenants.append(tenant)
        self.node.api.create(pod_object(tenant, uid, age_seconds=0))
        self.tell_kubelet()

    def leave(self, name: str) -> None:
        """A pod is deleted and gives its device back."""
        gone = self.world.tenant(name)
        self.world.tenants.remove(gone)
        self.node.api.delete(pod_object(gone))
        self.tell_kubelet()

    def heal(self) -> None:
        """Let NVML do all that it is asked for."""
        self.node.nvml.heal()
        self.node.nvml.write()

    def remember(self) -> None:
        """Keep the truth of now as that of before."""
        self.before = copy.deepcopy(self.world)

    def live(self) -> None:
        """Let the memory of two GPUs change, so that a page that is right was read just now."""
        for number in (LIVE_GPU, IDLE_GPU):
            self.gpu(number).used += LIVE_STEP
            for world in (self.before, self.world):
                world.unit(GPUS[number]).used = self.gpu(number).used
        self.node.nvml.write()
