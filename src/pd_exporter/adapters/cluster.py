"""What a cluster has of scaling adapters, and of what their roles run on."""

from pydantic import ValidationError

from pd_exporter.adapters.judgement import Finding, apparent, judge
from pd_exporter.adapters.objects import API_GROUP, GROUPS, Group, Role, ScalingAdapter, Workload
from pd_exporter.kube.adapters import RBG_ADAPTERS
from pd_exporter.kube.api import KubeApi
from pd_exporter.kube.collection import Collection
from pd_exporter.kube.discovery import Resource, Served, ask_served
from pd_exporter.kube.failure import KubeFailure, Reason
from pd_exporter.kube.objects import Place, find_object
from pd_exporter.reading import Problem

PAGE = 250
"""Adapters that are asked for at once."""
_PLURALS = {
    "apps/v1/StatefulSet": "statefulsets",
    "apps/v1/Deployment": "deployments",
    "workloads.x-k8s.io/v1alpha2/RoleInstanceSet": "roleinstancesets",
    "leaderworkerset.x-k8s.io/v1/LeaderWorkerSet": "leaderworkersets",
}


class NoAdaptersError(Exception):
    """The cluster has no adapters that can be read.

    Attributes:
        problem: The error for people, with its cure.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class Cluster:
    """The RoleBasedGroups of a cluster; made by `open_cluster`."""

    def __init__(self, api: KubeApi, adapter_version: str, group_version: str) -> None:
        self.api = api
        self._adapter_version = adapter_version
        self._group_version = group_version

    def place(self, adapter: ScalingAdapter) -> Place:
        """Tell where an adapter is."""
        return Place(self._adapters(adapter.metadata.namespace), adapter.metadata.name)

    async def findings(self, namespace: str) -> list[Finding]:
        """Look at all adapters of a namespace, by name; empty looks at those of the whole cluster.

        Raises:
            KubeFailure: Something could not be read.
        """
        groups: dict[tuple[str, str], Group | None] = {}
        found = []
        for adapter in sorted(await self._list(namespace), key=lambda each: each.name):
            key = adapter.metadata.namespace, adapter.spec.target.name
            if key not in groups:
                groups[key] = await self._group(*key)
            found.append(await self._judged(adapter, groups[key]))
        return found

    async def look_at(self, adapter: ScalingAdapter) -> Finding:
        """Look at an adapter that was just read, its group and what its role runs on.

        Raises:
            KubeFailure: Something could not be read.
        """
        group = await self._group(adapter.metadata.namespace, adapter.spec.target.name)
        return await self._judged(adapter, group)

    async def _judged(self, adapter: ScalingAdapter, group: Group | None) -> Finding:
        role = group.role(adapter.spec.target.role) if group else None
        kind = role.workload_type(self._group_version) if role else ""
        wrong = apparent(adapter)
        if wrong or adapter.has_selector:
            return Finding(adapter, kind.rpartition("/")[2], wrong)
        workload = await self._workload(kind, group, role) if group and role else None
        return judge(adapter, group, role, workload, kind)

    async def _list(self, namespace: str) -> list[ScalingAdapter]:
        collection = self._adapters(namespace)
        try:
            return [
                ScalingAdapter.model_validate(each)
                async for page in self.api.list_objects(collection, "")
                for each in page.objects
            ]
        except ValidationError:
            message = f"What is listed as {collection.resource} is none."
            raise KubeFailure(Reason.INVALID_REPLY, message, collection.resource) from None

    async def _group(self, namespace: str, name: str) -> Group | None:
        collection = Collection(self._group_version, GROUPS.plural, API_GROUP, namespace)
        return await find_object(self.api, Place(collection, name), Group)

    async def _workload(self, kind: str, group: Group, role: Role) -> Workload | None:
        plural = _PLURALS.get(kind)
        if plural is None:
            return None
        api_group, version, _ = kind.split("/")
        collection = Collection(version, plural, api_group, group.metadata.namespace)
        return await find_object(self.api, Place(collection, group.workload_name(role)), Workload)

    def _adapters(self, namespace: str) -> Collection:
        plural = RBG_ADAPTERS.plural
        return Collection(self._adapter_version, plural, API_GROUP, namespace, page_size=PAGE)


async def open_cluster(api: KubeApi) -> Cluster:
    """Find out in which versions a cluster has RoleBasedGroups and their adapters.

    Raises:
        KubeFailure: It could not be asked.
        NoAdaptersError: It has none, or in no version that is known here.
    """
    served = await ask_served(api, API_GROUP)
    return Cluster(api, _version(RBG_ADAPTERS, served), _version(GROUPS, served))


def _version(resource: Resource, served: Served) -> str:
    version = resource.version_of(served)
    if version is None:
        raise NoAdaptersError(
            resource.unread(served)
            or Problem(
                "not_found",
                f"The cluster has no {resource.name}.",
                "Install RoleBasedGroup, or see that this is the cluster that is meant.",
            )
        )
    return version
