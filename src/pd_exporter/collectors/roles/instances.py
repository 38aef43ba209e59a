"""Role instances: the pods that are scaled as one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pd_exporter.collectors.roles.pods import Role, RolePod


@dataclass(slots=True)
class Instance:
    """All pods of one role instance that are there, those about to end included."""

    pods: list[RolePod] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        """Whether all pods that it should have are there and Ready."""
        return all(pod.ready for pod in self.pods) and len(self.pods) >= self._wanted()

    @property
    def ready_since(self) -> float | None:
        """When the last of its pods became Ready, as Unix time; None where that is not told."""
        told = [pod.ready_since for pod in self.pods if pod.ready_since is not None]
        return max(told) if len(told) == len(self.pods) else None

    @property
    def scheduled(self) -> bool:
        """Whether all pods that it should have are scheduled to nodes."""
        return all(pod.node for pod in self.pods) and len(self.pods) >= self._wanted()

    @property
    def stays(self) -> bool:
        """Whether some of its pods are not about to end."""
        return not all(pod.ending for pod in self.pods)

    def _wanted(self) -> int:
        """How many pods it should have, as far as those that are there tell."""
        if len(self.pods) == 1:  # as most have, of whole clusters
            return self.pods[0].size or 1
        seen: dict[str, int] = {}
        told: dict[str, int] = {}
        for pod in self.pods:
            seen[pod.component] = seen.get(pod.component, 0) + 1
            told[pod.component] = max(told.get(pod.component, 0), pod.size or 0)
        return sum(max(seen[component], told[component]) for component in seen)


def instances_of(pods: Iterable[RolePod]) -> Mapping[Role, Mapping[str, Instance]]:
    """Group pods by role and role instance."""
    grouped: dict[Role, dict[str, Instance]] = {}
    for pod in pods:
        of_role = grouped.setdefault(pod.role, {})
        of_role.setdefault(pod.instance, Instance()).pods.append(pod)
    return grouped
