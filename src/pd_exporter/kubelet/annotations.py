"""What a pod's annotations say of its share of a GPU, where the device ids do not.

Alibaba's gpushare (in ACK as cGPU, too) and HAMi let the kubelet hand out ids that only count;
which card a pod has, and how much of it, their schedulers write into the pod's annotations.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pd_exporter.kubelet.deviceids import DeviceRef, parse_device_id

GPUSHARE_ALLOCATION = "scheduler.framework.gpushare.allocation"
GPUSHARE_CARD = "ALIYUN_COM_GPU_MEM_IDX"
GPUSHARE_POD = "ALIYUN_COM_GPU_MEM_POD"
GPUSHARE_WHOLE = "ALIYUN_COM_GPU_MEM_DEV"
HAMI_ALLOCATED = "hami.io/vgpu-devices-allocated"

_GIB = 1 << 30
_MIB = 1 << 20
_WHOLE_NUMBER = re.compile("[0-9]{1,9}")
_HAMI_MIG_SLOT = re.compile(r"\[[0-9]+-[0-9]+\]$")


@dataclass(frozen=True, slots=True)
class Assignment:
    """A card that a pod has a share of, whichever of its containers use it.

    Attributes:
        device: The card.
        quota: Bytes of its memory that are the pod's; None where told otherwise or not at all.
        fraction: The pod's part of its memory, 0-1; None where told otherwise or not at all.
    """

    device: DeviceRef
    quota: int | None = None
    fraction: float | None = None

    def limit(self, total: int) -> int | None:
        """Bytes that the pod may have of a card with so many; None where that is not known.

        A quota beyond the whole card was given in another unit, or is oversubscription.
        """
        quota = self.quota if self.fraction is None else round(self.fraction * total)
        return None if quota is None or quota > total else quota


def assignments(annotations: Mapping[str, str]) -> tuple[Assignment, ...]:
    """Read which cards a pod was given, each once.

    Empty where nothing was assigned, and where the annotation cannot be read: see `malformed`.
    """
    return _read(annotations)[0]


def malformed(annotations: Mapping[str, str]) -> str | None:
    """Name the annotation that should say which cards the pod was given, and cannot be read."""
    return _read(annotations)[1]


def _read(annotations: Mapping[str, str]) -> tuple[tuple[Assignment, ...], str | None]:
    for key, read in _READERS.items():
        if key in annotations:
            try:
                return read(annotations), None
            except (ValueError, RecursionError):  # RecursionError: JSON that is nested too deep
                return (), key
    return (), None


def _gpushare_allocation(annotations: Mapping[str, str]) -> tuple[Assignment, ...]:
    """Units by card by container, as in `{"0": {"1": 4}}`.

    The card is a minor number, and the unit a GiB: Koordinator's plugins for ACK read it so.
    """
    document = json.loads(annotations[GPUSHARE_ALLOCATION], parse_int=_positive)
    if not isinstance(document, dict):
        raise ValueError("not by container")  # noqa: TRY004  what is read is wrong, not the call
    units: dict[int, int] = {}
    for cards in document.values():
        if not isinstance(cards, dict):
            raise ValueError("not by card")  # noqa: TRY004  the same
        for card, count in cards.items():
            if type(count) is not int:
                raise ValueError("not a number of units")
            minor = _whole(card)
            units[minor] = units.get(minor, 0) + count
    return tuple(
        Assignment(DeviceRef(minor=minor, shared=True), quota=count * _GIB)
        for minor, count in units.items()
    )


def _gpushare_card(annotations: Mapping[str, str]) -> tuple[Assignment, ...]:
    """One card for the pod, with its units and those of the whole card.

    The index is the card's minor number: gpushare-device-plugin, pkg/gpu/nvidia/nvidia.go. What a
    unit is, GiB or MiB, is the plugin's setting, so the pod's part of the card is what counts.
    """
    if annotations[GPUSHARE_CARD] == "-1":
        return ()
    device = DeviceRef(minor=_whole(annotations[GPUSHARE_CARD]), shared=True)
    if GPUSHARE_POD not in annotations:
        return (Assignment(device),)
    units = _positive(annotations[GPUSHARE_POD])
    if GPUSHARE_WHOLE not in annotations:
        return (Assignment(device, quota=units * _GIB),)
    whole = _positive(annotations[GPUSHARE_WHOLE])
    if units > whole:
        raise ValueError("more than the card")
    return (Assignment(device, fraction=units / whole),)


def _hami(annotations: Mapping[str, str]) -> tuple[Assignment, ...]:
    """`uuid,type,MiB,percent of the cores` by card (`:`) by container (`;`).

    Project-HAMi/HAMi: pkg/device/devices.go.
    """
    quotas: dict[str, int | None] = {}
    for container in annotations[HAMI_ALLOCATED].split(";"):
        here: dict[str, int] = {}
        for entry in filter(None, container.split(":")):
            uuid, _type, mebibytes, *_cores = entry.split(",")
            # In MIG mode HAMi up to 2.9 appends its own number of the slice, which NVML does not
            # know. What is left names a GPU that has no memory of its own, and resolves to nothing.
            device = parse_device_id(_HAMI_MIG_SLOT.sub("", uuid), "")
            if device is None or not device.uuid:
                raise ValueError("not a GPU")
            here[device.uuid] = here.get(device.uuid, 0) + _whole(mebibytes) * _MIB
        for card, quota in here.items():
            # One of two containers may be an init container, which has ended; no telling which.
            quotas[card] = None if card in quotas else quota or None
    return tuple(
        Assignment(DeviceRef(uuid=card, shared=True), quota=quota) for card, quota in quotas.items()
    )


_READERS: Mapping[str, Callable[[Mapping[str, str]], tuple[Assignment, ...]]] = {
    GPUSHARE_ALLOCATION: _gpushare_allocation,
    GPUSHARE_CARD: _gpushare_card,
    HAMI_ALLOCATED: _hami,
}


def _whole(text: str) -> int:
    if not _WHOLE_NUMBER.fullmatch(text):
        raise ValueError("not a whole number")
    return int(text)


def _positive(text: str) -> int:
    number = _whole(text)
    if number == 0:
        raise ValueError("nothing")
    return number
