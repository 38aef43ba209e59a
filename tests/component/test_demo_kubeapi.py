"""The demo's Kubernetes API, as the exporter's own client and plain HTTP see it."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from pd_exporter.demo.cluster.kubeapi import RESOURCES, KubeApi
from pd_exporter.demo.cluster.listener import listen
from pd_exporter.demo.cluster.objects import Object, pod_object, scaling_objects
from pd_exporter.demo.cluster.pods import GroupPod, RoleBasedGroup
from pd_exporter.kube.access import KubeAccess
from pd_exporter.kube.api import open_api
from pd_exporter.kube.collection import Collection
from pd_exporter.kube.watch import Mirror, open_mirror
from tests.kube import QUICK
from tests.servers import until

PODS = "/api/v1/namespaces/default/pods"


class Client:
    """Asks the API over plain HTTP."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url.rstrip("/")

    async def get(self, path: str, query: Mapping[str, str] = {}, status: int = 200) -> Any:
        async with self._http.get(self._url + path, params=query) as response:
            assert response.status == status
            return await response.json()

    async def names(self, query: Mapping[str, str]) -> list[str]:
        listed = await self.get(PODS, query)
        return [shown["metadata"]["name"] for shown in listed["items"]]

    async def watch(self, path: str, **query: str) -> list[Mapping[str, Any]]:
        """All events of a watch until it ends by itself, after a second."""
        asked = {"watch": "1", "timeoutSeconds": "1"} | query
        async with self._http.get(self._url + path, params=asked) as response:
            assert response.status == 200
            return [json.loads(line) async for line in response.content]


@asynccontextmanager
async def serving(api: KubeApi) -> AsyncIterator[Client]:
    async with listen(api.app) as url, aiohttp.ClientSession() as http:
        yield Client(http, url)


def pod(index: int) -> Object:
    return pod_object(GroupPod("prefill", index, created=1_700_000_000))


def name_and_labels(
    shown: Mapping[str, Any], _since: float | None
) -> tuple[str, Mapping[str, str]]:
    return shown["metadata"]["name"], shown["metadata"]["labels"]


async def test_the_exporters_mirror_follows_it() -> None:
    api = KubeApi()
    api.put(pod(0))
    pods = Collection(
        "v1", "pods", namespace="default", field_selector="status.phase!=Failed,spec.nodeName=demo"
    )

    async def has(mirror: Mirror[str, Mapping[str, str]], count: int) -> bool:
        known = mirror.known()
        return known.problem is None and len(known.value or ()) == count

    async with (
        listen(api.app) as url,
        open_api(KubeAccess(url)) as client,
        open_mirror(client, pods, name_and_labels, QUICK) as mirror,
    ):
        await until(lambda: has(mirror, 1), "the first pod")
        api.put(pod(1))
        await until(lambda: has(mirror, 2), "the second pod")
        known = mirror.known().value

    assert known is not None
    assert known["dynamo-pd-prefill-1"] == {
        "rbg.workloads.x-k8s.io/group-name": "dynamo-pd",
        "rbg.workloads.x-k8s.io/role-name": "prefill",
        "rbg.workloads.x-k8s.io/role-instance-name": "dynamo-pd-prefill-1",
        "rbg.workloads.x-k8s.io/component-name": "prefill",
        "rbg.workloads.x-k8s.io/component-id": "0",
        "rbg.workloads.x-k8s.io/component-size": "1",
    }


async def test_a_watch_goes_on_from_the_version_of_a_list() -> None:
    api = KubeApi()
    api.put(pod(0))
    async with serving(api) as client:
        version = (await client.get(PODS))["metadata"]["resourceVersion"]
        api.put(pod(0))  # no change
        api.put(pod(1))
        api.put(pod(0) | {"spec": {"nodeName": "elsewhere"}})
        events = await client.watch(PODS, resourceVersion=version)
        nothing_new = await client.watch(
            PODS, resourceVersion=events[-1]["object"]["metadata"]["resourceVersion"]
        )

    told = [(event["type"], event["object"]["metadata"]["name"]) for event in events]
    assert told == [("ADDED", "dynamo-pd-prefill-1"), ("MODIFIED", "dynamo-pd-prefill-0")]
    assert nothing_new == []


async def test_a_silent_watch_gets_bookmarks_of_what_happened_elsewhere() -> None:
    api = KubeApi(bookmark_seconds=0.05)
    api.put(pod(0))
    async with serving(api) as client:
        path = "/apis/keda.sh/v1alpha1/scaledobjects"
        events = await client.watch(path, resourceVersion="1", allowWatchBookmarks="true")
        unasked = await client.watch(path, resourceVersion="1")
        version = (await client.get(path))["metadata"]["resourceVersion"]

    assert {event["type"] for event in events} == {"BOOKMARK"}
    assert {event["object"]["metadata"]["resourceVersion"] for event in events} == {version}
    assert unasked == []


async def test_what_it_serves_can_be_discovered() -> None:
    async with serving(KubeApi()) as client:
        groups = await client.get("/apis")
        for resource in RESOURCES:
            served = await client.get(resource.root)
            assert resource.plural in {each["name"] for each in served["resources"]}
            assert served["groupVersion"] == resource.api_version
        adapters = await client.get("/apis/workloads.x-k8s.io")
        missing = await client.get("/apis/nvidia.com", status=404)

    named = {group["name"] for group in groups["groups"]}
    assert named == {"autoscaling", "keda.sh", "workloads.x-k8s.io"}
    assert adapters["preferredVersion"]["version"] == "v1alpha2"
    assert (missing["kind"], missing["reason"]) == ("Status", "NotFound")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [0, 1]),
        ({"fieldSelector": "spec.nodeName=demo,status.phase!=Succeeded"}, [0, 1]),
        ({"fieldSelector": "spec.nodeName=elsewhere"}, []),
        ({"fieldSelector": "metadata.name!=dynamo-pd-prefill-0"}, [1]),
        ({"labelSelector": "rbg.workloads.x-k8s.io/role-name==prefill"}, [0, 1]),
        ({"labelSelector": "rbg.workloads.x-k8s.io/role-name=decode"}, []),
    ],
)
async def test_selectors_choose(query: dict[str, str], found: list[int]) -> None:
    api = KubeApi()
    api.put(pod(0))
    api.put(pod(1))
    async with serving(api) as client:
        names = await client.names(query)

    assert names == [f"dynamo-pd-prefill-{index}" for index in found]


@pytest.mark.parametrize(
    "query",
    [
        {"fieldSelector": "spec.hostname=a"},
        {"labelSelector": "role in (a, b)"},
        {"resourceVersion": "latest"},
    ],
)
async def test_what_it_cannot_answer_it_refuses(query: dict[str, str]) -> None:
    async with serving(KubeApi()) as client:
        refused = await client.get(PODS, query, status=400)

    assert (refused["kind"], refused["reason"]) == ("Status", "BadRequest")


async def test_other_namespaces_are_empty() -> None:
    api = KubeApi()
    api.put(pod(0))
    async with serving(api) as client:
        elsewhere = await client.get("/api/v1/namespaces/other/pods")
        everywhere = await client.get("/api/v1/pods")

    assert elsewhere["items"] == []
    assert len(everywhere["items"]) == 1


def test_a_pod_is_ready_from_its_first_second() -> None:
    group = RoleBasedGroup(prefill=1, decode=2)
    group.scale_out_prefill(1)
    late = group.pods[-1]
    shown = pod_object(late)

    (ready,) = [each for each in shown["status"]["conditions"] if each["type"] == "Ready"]
    assert (late.name, late.loading) == ("dynamo-pd-prefill-1", True)
    assert ready["status"] == "True"
    assert ready["lastTransitionTime"] == shown["metadata"]["creationTimestamp"]


def test_a_role_is_scaled_through_its_adapter() -> None:
    made = {
        shown["kind"]: shown for shown in scaling_objects("prefill", 2, 1_700_000_000, active=True)
    }

    adapter = made["RoleBasedGroupScalingAdapter"]
    assert adapter["metadata"]["name"] == "dynamo-pd-prefill"
    assert (adapter["spec"]["replicas"], adapter["status"]["phase"]) == (2, "Bound")
    target = {
        "apiVersion": "workloads.x-k8s.io/v1alpha2",
        "kind": "RoleBasedGroupScalingAdapter",
        "name": "dynamo-pd-prefill",
    }
    hpa, scaled = made["HorizontalPodAutoscaler"], made["ScaledObject"]
    assert hpa["spec"] == {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 6}
    assert scaled["spec"]["scaleTargetRef"] == target
    assert scaled["status"]["hpaName"] == hpa["metadata"]["name"]
