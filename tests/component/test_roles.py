"""Roles of a cluster, from a real HTTP server that does what a Kubernetes API server does."""

from collections.abc import AsyncIterator

import pytest

from tests.fakes.kube_api import KubeApi
from tests.fakes.kube_objects import Object, pod
from tests.fakes.kube_scaling import (
    READY_SINCE,
    READY_SINCE_UNIX,
    dgd_adapter,
    dynamo_worker,
    ending,
    hpa,
    part,
    policy,
    rbg_adapter,
    scaled_object,
    worker,
)
from tests.roles_cluster import ROLE, RolesCluster, install_all, names, roles_cluster

READY = "pd_role_replicas_ready"
DESIRED = "pd_role_replicas_desired"
PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture
async def cluster() -> AsyncIterator[RolesCluster]:
    async with roles_cluster() as running:
        await running.all_up()
        yield running


def create(api: KubeApi, *objects: Object) -> list[Object]:
    return [api.create(made) for made in objects]


async def test_the_first_page_has_everything() -> None:
    adapter = rbg_adapter("prefill", 2)
    component = {"componentName": "VllmDecodeWorker"}

    def before(api: KubeApi) -> None:
        install_all(api)
        create(
            api,
            worker("prefill", 0),
            worker("prefill", 1, ready=None),
            adapter,
            hpa(adapter, conditions={"ScalingActive": "True"}, most=6),
            scaled_object(adapter, conditions={"Ready": "True", "Active": "True"}),
            rbg_adapter("decode", 1),
            policy("prefill", "decode"),
            dynamo_worker("VllmDecodeWorker", 0),
            dgd_adapter(component, 1, name="vllm-disagg-vllmdecodeworker"),
        )

    settings = [ROLE | {"startup_seconds": 120}]
    ratios = [{"namespace": "default", "group": "dynamo-pd", "prefill_per_decode": 0.5}]
    async with roles_cluster(before, settings=settings, ratios=ratios) as cluster:
        page = await cluster.page()

        assert page.value(DESIRED, **ROLE) == 2
        assert page.value(READY, **ROLE) == 1
        assert page.value("pd_role_replicas_max", **ROLE) == 6
        assert page.value("pd_role_hpa_active", **ROLE) == 1
        assert page.value("pd_role_scaledobject_active", **ROLE) == 1
        assert page.value("pd_role_coordination_blocked", **ROLE) == 0
        assert page.value("pd_role_startup_seconds", **ROLE) == 120
        assert page.value("pd_group_target_prefill_decode_ratio", group="dynamo-pd") == 0.5
        assert page.value(READY, group="dynamo-pd", role="decode") == 0
        assert page.value(DESIRED, group="vllm-disagg", role="decode") == 1
        assert page.value(READY, group="vllm-disagg", role="decode") == 1
        since = page.value("pd_role_instance_ready_timestamp_seconds", **ROLE)
        assert since == READY_SINCE_UNIX
        assert set(names(page, "pd_roles_source_up", "source_namespace")) == {"default"}
        assert await cluster.problems() == {}


async def test_a_role_grows_from_one_to_six_and_shrinks_again(cluster: RolesCluster) -> None:
    api = cluster.api
    adapter, *pods = create(api, rbg_adapter("prefill", 1), worker("prefill", 0))
    await cluster.shows(READY, 1, **ROLE)

    adapter["spec"]["replicas"] = 6
    api.update(adapter)
    pods += create(api, *(worker("prefill", index, ready=None, node="") for index in range(1, 6)))
    await cluster.shows(DESIRED, 6, **ROLE)
    page = await cluster.shows("pd_pod_ready", 0, pod="dynamo-pd-prefill-5")
    assert page.value(READY, **ROLE) == 1

    for index in range(1, 6):
        api.update(pods[index] | {"status": worker("prefill", index)["status"]})
    await cluster.shows(READY, 6, **ROLE)

    for index in range(1, 6):
        api.update(ending(pods[index] | {"status": worker("prefill", index)["status"]}))
    page = await cluster.shows(READY, 1, **ROLE)
    assert len(names(page, "pd_pod_info", "pod")) == 6

    for index in range(1, 6):
        api.delete(pods[index])
    page = await cluster.shows("pd_pod_info", None, pod="dynamo-pd-prefill-5")
    await cluster.shows("pd_pod_info", 1)
    assert page.value(READY, **ROLE) == 1


async def test_an_instance_is_ready_again_once_its_worker_is_back(cluster: RolesCluster) -> None:
    leader, member = create(cluster.api, part("decode", 0, 0), part("decode", 0, 1))
    await cluster.shows(READY, 1, role="decode")

    cluster.api.delete(member)
    await cluster.shows(READY, 0, role="decode")
    create(cluster.api, part("decode", 0, 1, ready=None))
    await cluster.shows("pd_pod_ready", 0, pod="dynamo-pd-decode-0-1")
    await cluster.shows(READY, 0, role="decode")

    cluster.api.update(leader | {"status": {"phase": "Failed"}})
    page = await cluster.shows("pd_pod_info", None, pod="dynamo-pd-decode-0-0")
    assert page.value(READY, role="decode") == 0


async def test_a_role_without_pods_and_adapter_is_gone(cluster: RolesCluster) -> None:
    (made,) = create(cluster.api, worker("prefill", 0))
    await cluster.shows(READY, 1, **ROLE)

    cluster.api.delete(made)

    await cluster.shows(READY, None, **ROLE)


async def test_two_namespaces_are_read_and_no_other() -> None:
    def before(api: KubeApi) -> None:
        install_all(api)
        for namespace in ("a", "b", "c"):
            create(
                api,
                worker("prefill", 0, namespace=namespace),
                rbg_adapter("prefill", 2, namespace=namespace),
            )

    async with roles_cluster(before, ["a", "b"]) as cluster:
        page = await cluster.all_up()

        assert names(page, READY, "namespace") == ["a", "b"]
        assert names(page, DESIRED, "namespace") == ["a", "b"]
        assert sorted(set(names(page, "pd_roles_source_up", "source_namespace"))) == ["a", "b"]
        assert {asked.path for asked in cluster.api.requests if asked.path.endswith("/pods")} == {
            "/api/v1/namespaces/a/pods",
            "/api/v1/namespaces/b/pods",
        }
        # What the server has is asked of it once, not for each namespace.
        assert cluster.api.count("list") == 2 * (1 + 5)


async def test_the_whole_cluster_is_read() -> None:
    def before(api: KubeApi) -> None:
        install_all(api)
        create(api, *(worker("prefill", 0, namespace=namespace) for namespace in ("a", "b")))
        create(api, rbg_adapter("decode", 2, namespace="b"))

    settings = [{"namespace": "b", "group": "dynamo-pd", "role": "prefill", "startup_seconds": 9}]
    async with roles_cluster(before, ["*"], settings=settings) as cluster:
        page = await cluster.all_up()

        assert names(page, READY, "namespace") == ["a", "b", "b"]
        assert page.value("pd_role_startup_seconds", namespace="b", role="prefill") == 9
        assert set(names(page, "pd_roles_source_up", "source_namespace")) == {"*"}


async def test_little_is_asked_for(cluster: RolesCluster) -> None:
    listed, watching = (each for each in cluster.api.requests if each.path == PODS)
    selector = "status.phase!=Succeeded,status.phase!=Failed"

    assert listed.query == {"fieldSelector": selector, "limit": "250"}
    assert watching.query["fieldSelector"] == selector
    adapters = [each for each in cluster.api.requests if "scalingadapters" in each.path]
    assert {each.path.split("/")[3] for each in adapters} == {"v1alpha2", "v1beta1"}
    lists = [each for each in adapters if each.verb == "list"]
    assert [each.query for each in lists] == [{"resourceVersion": "0"}] * 2


async def test_pods_are_listed_in_pages() -> None:
    def before(api: KubeApi) -> None:
        create(api, *(worker("prefill", index) for index in range(600)))

    async with roles_cluster(before) as cluster:
        await cluster.shows(READY, 600, **ROLE)

        pages = [each for each in cluster.api.requests if each.path == PODS and each.verb == "list"]
        assert ["continue" in each.query for each in pages] == [False, True, True]


async def test_a_list_whose_rest_has_expired_is_asked_for_again(cluster: RolesCluster) -> None:
    api = cluster.api
    create(api, *(worker("prefill", index) for index in range(600)))
    await cluster.shows(READY, 600, **ROLE)
    api.expire_rests = 1
    api.compact()
    api.drop_connections()
    create(api, worker("prefill", 600))

    await cluster.shows(READY, 601, **ROLE)
    await cluster.all_up()
    assert api.expire_rests == 0


async def test_pods_without_a_role_are_not_shown(cluster: RolesCluster) -> None:
    create(cluster.api, pod("notebook", ready=READY_SINCE), worker("prefill", 0))

    page = await cluster.shows(READY, 1, **ROLE)

    assert names(page, "pd_pod_info", "pod") == ["dynamo-pd-prefill-0"]
