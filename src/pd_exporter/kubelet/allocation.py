"""What a container holds, as the kubelet allocated it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allocation:
    """One device id that one container holds.

    Attributes:
        namespace: Of the pod.
        pod: Name of the pod; the kubelet tells no uid here.
        container: Name of the container.
        resource: Name of the resource, such as `nvidia.com/gpu`; for a dynamic resource (DRA) the
            name of its driver, such as `gpu.nvidia.com`.
        device_id: The device plugin's or DRA driver's name for the device; see `deviceids`.
    """

    namespace: str
    pod: str
    container: str
    resource: str
    device_id: str
