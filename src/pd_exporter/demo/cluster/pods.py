"""The RoleBasedGroup's pods: one frontend, and Prefill and Decode workers."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pd_exporter.demo.plan import DECODE_ROLE, FRONTEND_ROLE, GROUP, ROLE

_LABELS = "rbg.workloads.x-k8s.io/"


@dataclass(frozen=True, slots=True)
class GroupPod:
    """A pod, which is a role instance of its own.

    Attributes:
        role: Its role.
        index: Its number within the role.
        created: When it was made, as Unix time.
        loading: Whether it still loads its model, which it does as long as it lives.
    """

    role: str
    index: int
    created: float
    loading: bool = False

    @property
    def name(self) -> str:
        """As RoleBasedGroup's controller names pods, and their role instances."""
        return f"{GROUP}-{self.role}-{self.index}"

    @property
    def labels(self) -> Mapping[str, str]:
        """Those that RoleBasedGroup sets from 0.7 on, of the standalone pattern."""
        labels = {
            "group-name": GROUP,
            "role-name": self.role,
            "role-instance-name": self.name,
            "component-name": self.role,
            "component-id": "0",
            "component-size": "1",
        }
        return {f"{_LABELS}{key}": value for key, value in labels.items()}


class RoleBasedGroup:
    """The pods that there are.

    Args:
        prefill: How many serve Prefill.
        decode: How many serve Decode.

    Attributes:
        pods: All of them, in the order in which they came.
    """

    def __init__(self, prefill: int, decode: int) -> None:
        now = time.time()
        counts = {FRONTEND_ROLE: 1, ROLE: prefill, DECODE_ROLE: decode}
        self.pods = [
            GroupPod(role, index, now) for role, count in counts.items() for index in range(count)
        ]

    def scale_out_prefill(self, replicas: int) -> None:
        """Make so many more Prefill pods, which have to load their model first."""
        there, now = len(list(self.of_role(ROLE))), time.time()
        for index in range(there, there + replicas):
            self.pods.append(GroupPod(ROLE, index, now, loading=True))

    def of_role(self, role: str) -> Iterator[GroupPod]:
        """Give the pods of a role."""
        return (pod for pod in self.pods if pod.role == role)
