"""The cluster as others reach it: the Kubernetes API, and the pods' own metrics."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pd_exporter.demo.cluster.kubeapi import KubeApi
from pd_exporter.demo.cluster.listener import listen
from pd_exporter.demo.cluster.objects import pod_object, scaling_objects
from pd_exporter.demo.cluster.podmetrics import TARGETS, Endpoints
from pd_exporter.demo.cluster.pods import RoleBasedGroup
from pd_exporter.demo.plan import LOADING_REPLICAS, ROLES
from pd_exporter.demo.service.workload import Workload


class Cluster:
    """A running cluster; made by `open_cluster`.

    Attributes:
        api_url: The Kubernetes API.
        pods_url: Under it, `<pod>/metrics`.
        targets_url: Where Prometheus finds the pods.
    """

    def __init__(self, api: KubeApi, group: RoleBasedGroup, api_url: str, pods_url: str) -> None:
        self.api_url = api_url
        self.pods_url = pods_url
        self.targets_url = f"{pods_url}{TARGETS}"
        self._api = api
        self._group = group
        self._publish(active=False)

    def scale_out(self) -> None:
        """Ask for more Prefill replicas; their pods are Ready at once, and load their model."""
        self._group.scale_out_prefill(LOADING_REPLICAS)
        self._publish(active=True)

    def _publish(self, *, active: bool) -> None:
        for pod in self._group.pods:
            self._api.put(pod_object(pod))
        for role in ROLES:
            pods = list(self._group.of_role(role))
            for made in scaling_objects(role, len(pods), pods[0].created, active=active):
                self._api.put(made)


@asynccontextmanager
async def open_cluster(group: RoleBasedGroup, workload: Workload) -> AsyncIterator[Cluster]:
    """Serve all that a cluster tells of the service, while entered."""
    api = KubeApi()
    async with (
        listen(api.app) as api_url,
        listen(Endpoints(group, workload).app) as pods_url,
    ):
        yield Cluster(api, group, api_url, pods_url)
