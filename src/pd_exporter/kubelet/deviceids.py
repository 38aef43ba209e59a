"""The grammar of device ids: what device plugins and DRA drivers call a GPU, and which one it is.

An id is known by its shape, since resource names are configurable. Only names that merely count
the cards of a node are bound to the resource or driver that counts them so.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pd_exporter.nvml.device import Device, Unit

DRA_DRIVER = "gpu.nvidia.com"
"""The resource of whole GPUs and MIG devices that NVIDIA's DRA driver allocated."""

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_N = "[0-9]{1,5}"
# NVIDIA/k8s-device-plugin: internal/rm/devices.go. Old MIG names are those of drivers before 470.
_NVIDIA = re.compile(
    rf"(?:(?P<uuid>(?:GPU|MIG)-{_UUID})"
    rf"|MIG-(?P<parent>GPU-{_UUID})/(?P<gpu_instance>{_N})/{_N})"
    rf"(?P<shared>::{_N})?",
    re.IGNORECASE | re.ASCII,
)
# AliyunContainerService/gpushare-device-plugin: pkg/gpu/nvidia/nvidia.go, a unit of memory each;
# Project-HAMi/HAMi: nvinternal/rm/devices.go, a slot each. Both plugins let the kubelet choose any
# of them and give the container the card of the pod's annotation.
_COUNTER = re.compile(rf"GPU-{_UUID}-(?:_-)?{_N}", re.IGNORECASE | re.ASCII)
# GoogleCloudPlatform/container-engine-accelerators: pkg/gpu/nvidia/manager.go and mig/mig.go.
_GKE = re.compile(rf"nvidia(?P<minor>{_N})(?:/gi(?P<gpu_instance>{_N}))?(?P<shared>/vgpu{_N})?")
# kubernetes-sigs/dra-driver-nvidia-gpu: deviceinfo.go and mig.go. After "-mig-" stand the profile's
# name, its number and the placement's start; before dynamic MIG came (2026) the profile's number,
# and the placement's start and size. Until August 2025 the first number was NVML's index.
_DRA = re.compile(
    rf"gpu-(?P<minor>{_N})(?:-mig-(?:"
    rf"(?P<profile>(?:{_N}c)?{_N}g{_N}gb(?:-[a-z]+)*)-{_N}-(?P<placement>{_N})"
    rf"|{_N}-(?P<old_placement>{_N})-{_N}))?"
)
_SLICES = re.compile(rf"(?:{_N}c\.?)?(?P<slices>{_N})g")
_NETWORK = ("rdma", "hostdev", "sriov", "mlnx", "hca")


@dataclass(frozen=True, slots=True)
class DeviceRef:
    """The device that an id names, as far as the id tells.

    Attributes:
        uuid: Of a GPU or MIG device, as NVML writes it; empty where the id gives none.
        parent: Uuid of the GPU that `gpu_instance` is on; empty where the id gives none.
        minor: N of the GPU's /dev/nvidiaN; None where the id does not tell.
        gpu_instance: NVML's id of the MIG GPU instance; None where the id does not tell.
        placement: First memory slice of the MIG GPU instance; None where the id does not tell.
        profile: Its MIG profile as the DRA driver spells it (`1g5gb`); empty where untold.
        shared: The id is one of several that name the device: others may hold it too.
        counter: The id names no device at all: the pod's annotations do.
        numbered: The id's number was NVML's index with older drivers of its kind, and is the minor
            number now.
    """

    uuid: str = ""
    parent: str = ""
    minor: int | None = None
    gpu_instance: int | None = None
    placement: int | None = None
    profile: str = ""
    shared: bool = False
    counter: bool = False
    numbered: bool = False


@lru_cache(maxsize=1024)  # a node's ids, read anew at every scrape
def parse_device_id(text: str, resource: str) -> DeviceRef | None:
    """Read a device id.

    Args:
        text: The id, as in the kubelet's PodResources.
        resource: Name of the resource that it was allocated for; for DRA that of the driver.
            Other vendors call their first GPU `gpu-0` too.

    Returns:
        None where the shape is unknown.
    """
    if match := _NVIDIA.fullmatch(text):
        return DeviceRef(
            uuid=_canonical(match["uuid"]),
            parent=_canonical(match["parent"]),
            gpu_instance=_number(match["gpu_instance"]),
            shared=match["shared"] is not None,
        )
    if _COUNTER.fullmatch(text):
        return DeviceRef(shared=True, counter=True)
    if resource.startswith("nvidia.com/") and (match := _GKE.fullmatch(text)):
        return DeviceRef(
            minor=int(match["minor"]),
            gpu_instance=_number(match["gpu_instance"]),
            shared=match["shared"] is not None,
        )
    if resource == DRA_DRIVER and (match := _DRA.fullmatch(text)):
        return DeviceRef(
            minor=int(match["minor"]),
            placement=_number(match["placement"] or match["old_placement"]),
            profile=match["profile"] or "",
            numbered=True,
        )
    return None


def resolve(ref: DeviceRef, devices: Sequence[Device]) -> Unit | None:
    """Find the unit of memory that a reference names.

    None where there is none now, or more than one; so for a whole GPU on which MIG is on, since
    its memory is then its instances', for counters, and where a number may be that of two GPUs.
    """
    if ref.uuid:
        found = [
            unit
            for device in devices
            for unit in device.units
            if ref.uuid == unit.uuid or ref.uuid in unit.aliases
        ]
    else:
        cards = [device for device in devices if _is_card(ref, device)]
        # Two cards with the same number are one too many, whatever units they have.
        found = [unit for unit in cards[0].units if _is_unit(ref, unit)] if len(cards) == 1 else []
    return found[0] if len(found) == 1 else None


def is_gpu_resource(resource: str) -> bool:
    """Whether an id of unknown shape under a resource's or DRA driver's name may be a GPU's.

    So for all of NVIDIA's and for any that calls itself a GPU, but not for the network devices
    that NVIDIA's network operator names alike.
    """
    name = resource.lower()
    if any(word in name for word in _NETWORK):
        return False
    return name.startswith("nvidia.com/") or "gpu" in name


def _is_card(ref: DeviceRef, device: Device) -> bool:
    if ref.parent:
        return device.uuid == ref.parent
    if ref.minor is None:
        return False
    return device.minor == ref.minor or (ref.numbered and device.index == ref.minor)


def _is_unit(ref: DeviceRef, unit: Unit) -> bool:
    if ref.gpu_instance is not None:
        return unit.gpu_instance == ref.gpu_instance
    if ref.placement is not None:
        return unit.placement == ref.placement and _same_slices(ref.profile, unit.profile)
    return unit.gpu_instance is None


def _same_slices(one: str, other: str) -> bool:
    """Whether two profiles may be the same: another instance may start where one was.

    Only the number of GPU slices is compared: in the rest NVIDIA's own programs differ (7g.79gb and
    7g.80gb).
    """
    first, second = _SLICES.match(one), _SLICES.match(other)
    return first is None or second is None or first["slices"] == second["slices"]


def _canonical(uuid: str | None) -> str:
    """Write a uuid as NVML does: prefix in capitals, digits in small letters."""
    prefix, _, digits = (uuid or "").partition("-")
    return f"{prefix.upper()}-{digits.lower()}" if uuid else ""


def _number(digits: str | None) -> int | None:
    return None if digits is None else int(digits)
