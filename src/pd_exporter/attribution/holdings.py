"""Which pod holds which unit: the kubelet's allocations, resolved to units that NVML knows."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pd_exporter.known import Known
from pd_exporter.kube.pod import Pod
from pd_exporter.kubelet.allocation import Allocation
from pd_exporter.kubelet.annotations import (
    GPUSHARE_ALLOCATION,
    GPUSHARE_CARD,
    GPUSHARE_POD,
    GPUSHARE_WHOLE,
    HAMI_ALLOCATED,
    Assignment,
    assignments,
    malformed,
)
from pd_exporter.kubelet.deviceids import DRA_DRIVER, is_gpu_resource, parse_device_id, resolve
from pd_exporter.nvml.device import Device, Unit

PodKey = tuple[str, str]
"""Namespace and name."""

_CONFIG_HASH = "kubernetes.io/config.hash"
"""Annotation of a static pod's mirror: what the node knows the pod by, instead of its uid."""

ANNOTATIONS = frozenset(
    {
        _CONFIG_HASH,
        GPUSHARE_ALLOCATION,
        GPUSHARE_CARD,
        GPUSHARE_POD,
        GPUSHARE_WHOLE,
        HAMI_ALLOCATED,
    }
)
"""The annotations of a pod that are needed here."""


SETTLE_SECONDS = 1.0
"""How long after the Kubernetes API tells of a pod the kubelet may not have given it devices."""


class Unresolved(StrEnum):
    """Why a device id names no unit; the values are label values."""

    SHAPE = "shape"
    DEVICE = "device"
    ANNOTATION = "annotation"


@dataclass(frozen=True, slots=True)
class Holding:
    """A pod that holds a unit.

    Attributes:
        namespace: Of the pod.
        name: Of the pod.
        container: The container that holds it; empty where several of the pod do.
        resource: By which resource, as the kubelet names it.
        pod: The pod as the Kubernetes API knows it; None while it does not tell.
        share: What the pod's annotations say of its share; None where it may use all.
        exclusive: Whether nobody else can hold the unit: its device id is its only one.
    """

    namespace: str
    name: str
    container: str
    resource: str
    pod: Pod | None = None
    share: Assignment | None = None
    exclusive: bool = True

    @property
    def uid(self) -> str:
        """What the node knows the pod by, in cgroups; empty where that is not known."""
        return self.pod.annotations.get(_CONFIG_HASH, self.pod.uid) if self.pod else ""

    def limit(self, total: int) -> int | None:
        """Bytes that the pod may use of a unit with so many; None where that is not known."""
        return self.share.limit(total) if self.share else total


@dataclass(frozen=True, slots=True)
class Holdings:
    """Who holds what.

    Attributes:
        by_unit: The pods on each unit that is held, by the unit's uuid.
        unresolved: For people, the device ids that name no unit, by why that is.
        absent: Pods that the kubelet gave a unit and that the Kubernetes API does not have, by the
            unit's uuid: they have ended, or are so new that they were not yet told of.
        outdated: Whether devices may have been given to pods since the kubelet was asked.
    """

    by_unit: Mapping[str, Sequence[Holding]] = field(default_factory=dict)
    unresolved: Mapping[Unresolved, Sequence[str]] = field(default_factory=dict)
    absent: Mapping[str, Sequence[PodKey]] = field(default_factory=dict)
    outdated: bool = False

    def is_shared(self, uuid: str) -> bool:
        """Whether several pods hold a unit, or may: while it is unknown what some pod holds.

        A pod whose device is not known may be on any unit that can be shared at all.
        """
        unknown = self.outdated or uuid in self.absent
        unknown |= Unresolved.SHAPE in self.unresolved or Unresolved.ANNOTATION in self.unresolved
        return len(self.by_unit.get(uuid, ())) > 1 or (unknown and self._can_be_shared(uuid))

    def divisible(self) -> frozenset[str]:
        """Uuids of the units that are shared or can be: their processes tell who is on them."""
        return frozenset(
            uuid
            for uuid, holders in self.by_unit.items()
            if len(holders) > 1 or self._can_be_shared(uuid)
        )

    def _can_be_shared(self, uuid: str) -> bool:
        return any(not each.exclusive for each in self.by_unit.get(uuid, ()))


def find_holdings(
    allocations: Known[Sequence[Allocation]],
    pods: Known[Mapping[PodKey, Pod]],
    devices: Sequence[Device],
    settle_seconds: float = SETTLE_SECONDS,
) -> Holdings:
    """Resolve allocations to units.

    The kubelet tells pods by name alone, and was asked some seconds ago. So a pod that was not yet
    there by then holds nothing: what the kubelet told of its name was about one before it. Kubelets
    before 1.34 also list pods that have ended: a pod that an up to date Kubernetes API does not
    have on this node holds nothing.

    Args:
        allocations: What the kubelet told, and when it was asked.
        pods: The pods of the node.
        devices: What device ids are resolved to.
        settle_seconds: How long after a pod is there the kubelet may not tell of it yet.
    """
    by_pod: dict[PodKey, list[Allocation]] = defaultdict(list)
    for allocation in allocations.value or ():
        by_pod[allocation.namespace, allocation.pod].append(allocation)
    told = pods.value or {}
    settled_by = None if allocations.at is None else allocations.at - settle_seconds
    new = {key for key, pod in told.items() if _is_newer(pod, settled_by)}
    by_unit: dict[str, list[Holding]] = defaultdict(list)
    unresolved: dict[Unresolved, list[str]] = defaultdict(list)
    absent: dict[str, list[PodKey]] = defaultdict(list)
    for key, of_pod in by_pod.items():
        if key in new:
            continue
        pod = told.get(key)
        claims = _Claims(devices)
        claims.add(of_pod, pod)
        if pod is None and pods.value is not None and pods.problem is None:
            for uuid, _ in claims.holdings(key, None):
                absent[uuid].append(key)
            continue
        for uuid, holding in claims.holdings(key, pod):
            by_unit[uuid].append(holding)
        for why, text in claims.unresolved:
            unresolved[why].append(f"{text} ({key[0]}/{key[1]})")
    outdated = bool(new) or allocations.problem is not None
    return Holdings(by_unit, unresolved, absent, outdated)


def _is_newer(pod: Pod, settled_by: float | None) -> bool:
    return pod.since is not None and settled_by is not None and settled_by < pod.since


@dataclass(slots=True)
class _Claim:
    containers: set[str] = field(default_factory=set)
    resources: set[str] = field(default_factory=set)
    share: Assignment | None = None
    exclusive: bool = True


class _Claims:
    """What one pod claims, by unit."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self._devices = devices
        self._by_unit: dict[str, _Claim] = defaultdict(_Claim)
        self.unresolved: list[tuple[Unresolved, str]] = []

    def add(self, allocations: Sequence[Allocation], pod: Pod | None) -> None:
        """Resolve each device id by itself, and those that only count by the pod's annotations."""
        given = assignments(pod.annotations) if pod else ()
        counters = []
        for allocation in allocations:
            ref = parse_device_id(allocation.device_id, allocation.resource)
            if ref is None and not is_gpu_resource(allocation.resource):
                continue
            if (ref is None and given) or (ref and ref.counter):
                counters.append(allocation)
            elif ref is None:
                self.unresolved.append((Unresolved.SHAPE, allocation.device_id))
            elif unit := resolve(ref, self._devices):
                # Compute instances share a GPU instance, and pods share claims.
                several = ref.shared or unit.aliases or allocation.resource == DRA_DRIVER
                self._claim(unit, allocation, exclusive=not several)
            else:
                self.unresolved.append((Unresolved.DEVICE, allocation.device_id))
        if counters:
            self._add_shares(counters, given, pod)

    def _add_shares(
        self, counters: Sequence[Allocation], given: Sequence[Assignment], pod: Pod | None
    ) -> None:
        for share in given:
            unit = resolve(share.device, self._devices)
            if unit is None:
                name = share.device.uuid or f"minor {share.device.minor}"
                self.unresolved.append((Unresolved.DEVICE, name))
                continue
            for allocation in counters:
                self._claim(unit, allocation, exclusive=False, share=share)
        if not given:
            # One for the pod: its ids are as many as its units of memory.
            why = (malformed(pod.annotations) if pod else None) or counters[0].resource
            self.unresolved.append((Unresolved.ANNOTATION, why))

    def _claim(
        self,
        unit: Unit,
        allocation: Allocation,
        *,
        exclusive: bool,
        share: Assignment | None = None,
    ) -> None:
        claim = self._by_unit[unit.uuid]
        claim.exclusive &= exclusive
        claim.containers.add(allocation.container)
        claim.resources.add(allocation.resource)
        claim.share = share

    def holdings(self, key: PodKey, pod: Pod | None) -> Iterator[tuple[str, Holding]]:
        """Give the units' uuids, each with what the pod holds of it."""
        for uuid, claim in self._by_unit.items():
            container = min(claim.containers) if len(claim.containers) == 1 else ""
            resource = min(claim.resources)
            yield uuid, Holding(*key, container, resource, pod, claim.share, claim.exclusive)
