"""What a cluster has, gets and loses, and what is known while its API is away."""

import asyncio

import pytest

from pd_exporter.collectors.roles import open_roles
from pd_exporter.config import Config
from pd_exporter.scrape import Scraper
from tests.fakes.kube_api import KubeApi
from tests.fakes.kube_kinds import HPAS
from tests.fakes.kube_scaling import KEDA, RBG, old_group, rbg_adapter, worker
from tests.roles_cluster import (
    ROLE,
    SOURCE_UP,
    RolesCluster,
    bare,
    names,
    roles_cluster,
    whole,
)
from tests.servers import until

READY = "pd_role_replicas_ready"
DESIRED = "pd_role_replicas_desired"
INFO = "pd_role_adapter_info"
HPAS_NAME = "horizontalpodautoscalers.autoscaling"
ADAPTERS_PLURAL = "rolebasedgroupscalingadapters"


async def test_a_kind_that_the_cluster_does_not_have_is_no_problem() -> None:
    async with roles_cluster(bare) as cluster:
        page = await cluster.page()

        assert names(page, SOURCE_UP, "resource")
        assert {each.value for each in page.samples if each.name == SOURCE_UP} == {1}
        assert page.value(READY, **ROLE) == 1
        assert page.get(DESIRED, **ROLE) is None
        assert await cluster.problems() == {}


async def test_a_kind_that_is_installed_later_is_noticed() -> None:
    async with roles_cluster(bare) as cluster:
        await cluster.all_up()

        cluster.api.kinds.install(RBG, "v1alpha2", ADAPTERS_PLURAL)

        await cluster.shows(DESIRED, 3, **ROLE)
        await cluster.all_up()


async def test_a_cluster_with_v1alpha1_alone() -> None:
    def before(api: KubeApi) -> None:
        api.kinds.install(RBG, "v1alpha1", ADAPTERS_PLURAL, "rolebasedgroups")
        api.create(worker("prefill", 0))
        api.create(worker("decode", 0, ready=None))
        api.create(rbg_adapter("prefill", 3, version="v1alpha1"))
        api.create(rbg_adapter("decode", 2, version="v1alpha1"))
        api.create(old_group("prefill", "decode"))

    async with roles_cluster(before) as cluster:
        page = await cluster.page()

        assert page.value(DESIRED, **ROLE) == 3
        assert page.value(INFO, version="v1alpha1", **ROLE) == 1
        assert page.value("pd_role_coordination_blocked", **ROLE) == 1


async def test_a_version_that_is_served_later_takes_over_and_nothing_counts_twice() -> None:
    def before(api: KubeApi) -> None:
        api.kinds.install(RBG, "v1alpha1", ADAPTERS_PLURAL, "rolebasedgroups")
        bare(api)
        api.create(old_group("prefill", "decode"))

    async with roles_cluster(before) as cluster:
        await cluster.shows("pd_role_coordination_blocked", 0, **ROLE)
        assert (await cluster.page()).value(INFO, version="v1alpha1", **ROLE) == 1

        cluster.api.kinds.install(RBG, "v1alpha2", ADAPTERS_PLURAL, "rolebasedgroups")
        page = await cluster.shows(INFO, 1, version="v1alpha2", **ROLE)
        assert page.value(INFO, **ROLE) == 1
        assert page.value(DESIRED, **ROLE) == 3
        await cluster.shows("pd_role_coordination_blocked", None, **ROLE)

        cluster.api.remove(RBG, "v1alpha1")
        page = await cluster.all_up()
        assert page.value(DESIRED, **ROLE) == 3


async def test_hpas_of_a_cluster_without_autoscaling_v2_are_read() -> None:
    def before(api: KubeApi) -> None:
        whole(api)
        api.kinds.remove("autoscaling", "v2")
        for version in ("v1", "v2beta1", "v2beta2"):
            api.kinds.install("autoscaling", version, "horizontalpodautoscalers")

    async with roles_cluster(before) as cluster:
        page = await cluster.all_up()

        assert page.value("pd_role_hpa_active", **ROLE) == 1
        assert page.value("pd_role_replicas_max", **ROLE) == 6


async def test_a_kind_in_versions_that_nobody_here_can_read_is_not_called_absent() -> None:
    def before(api: KubeApi) -> None:
        whole(api)
        api.kinds.remove(*HPAS[:2])
        api.kinds.install("autoscaling", "v3", HPAS[2])
        api.kinds.install("autoscaling", "v1", HPAS[2])

    async with roles_cluster(before) as cluster:
        page = await cluster.down_are(HPAS_NAME)

        for name in ("pd_role_replicas_min", "pd_role_replicas_max", INFO):
            assert page.get(name, **ROLE) is None
        assert page.value(DESIRED, **ROLE) == 3
        problem = (await cluster.problems())[f"{HPAS_NAME} in default"]
        assert problem.reason == "unknown_version"
        assert f"{HPAS_NAME} as v1, v3, of which none" in problem.message
        assert "v2, v2beta2" in problem.cure

        cluster.api.kinds.install(*HPAS)
        await cluster.all_up()
        await cluster.shows("pd_role_replicas_max", 6, **ROLE)


async def test_groups_are_not_read_where_policies_tell_the_same() -> None:
    def before(api: KubeApi) -> None:
        whole(api)
        api.kinds.remove(RBG, "v1alpha1")

    async with roles_cluster(before) as cluster:
        await cluster.all_up()

        assert not [each for each in cluster.api.requests if each.path.endswith("rolebasedgroups")]


async def test_a_version_that_is_not_served_any_more_is_left() -> None:
    async with roles_cluster(whole) as cluster:
        await cluster.shows(INFO, 1, version="v1alpha2", **ROLE)

        cluster.api.remove(RBG, "v1alpha2")

        await cluster.shows(INFO, 1, version="v1alpha1", **ROLE)
        await cluster.all_up()


async def test_a_kind_that_is_removed_leaves_nothing_behind() -> None:
    async with roles_cluster(whole) as cluster:
        await cluster.shows("pd_role_scaledobject_ready", 1, **ROLE)

        cluster.api.remove(KEDA, "v1alpha1")

        await cluster.shows("pd_role_scaledobject_ready", None, **ROLE)
        page = await cluster.all_up()
        assert page.value(INFO, scaledobject="", hpa="keda-hpa-prefill", **ROLE) == 1


async def test_values_go_while_the_api_is_away_and_come_back() -> None:
    settings = [ROLE | {"startup_seconds": 120}]
    async with roles_cluster(whole, settings=settings) as cluster:
        page = await cluster.all_up()
        before = {each.name for each in page.samples}
        await cluster.api.stop()
        page = await cluster.all_up(up=False)
        gone = before - {each.name for each in page.samples}

        assert page.value("pd_pod_info", pod="dynamo-pd-prefill-0") == 1
        assert page.value("pd_role_startup_seconds", **ROLE) == 120
        assert page.value("pd_collector_success", collector="roles") == 1
        assert gone == {
            name
            for name in before
            if name.startswith(("pd_pod_", "pd_role_"))
            and name not in {"pd_pod_info", "pd_role_startup_seconds"}
        }
        problems = await cluster.problems()
        assert {problem.reason for problem in problems.values()} == {"unreachable"}

        cluster.api.create(worker("prefill", 1))
        await cluster.api.start()
        page = await cluster.all_up()
        assert before == {each.name for each in page.samples}
        await cluster.shows(READY, 2, **ROLE)


async def test_outside_a_cluster_it_is_said_what_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    roles = {"namespaces": ["default"], "settings": [ROLE | {"startup_seconds": 120}]}
    config = Config.model_validate({"roles": roles})
    assert config.roles is not None
    async with open_roles(config, config.roles) as collector:
        cluster = RolesCluster(KubeApi(), Scraper([collector]))
        page = await cluster.page()

        assert page.value("pd_role_startup_seconds", **ROLE) == 120
        assert {each.value for each in page.samples if each.name == SOURCE_UP} == {0}
        problems = await cluster.problems()
        assert {problem.reason for problem in problems.values()} == {"no_access"}
        assert all("kubernetes.server" in problem.cure for problem in problems.values())


async def test_nothing_is_left_behind() -> None:
    async with roles_cluster(whole) as cluster:

        async def watching() -> bool:
            return cluster.api.open_watches == 6

        await until(watching, "all watches to be open")
        assert background() > {"watch of pods", f"discovery of {RBG}"}

    assert background() == set()


def background() -> set[str]:
    """Names of the collector's tasks."""
    found = {task.get_name() for task in asyncio.all_tasks()}
    return {name for name in found if name.startswith(("watch of", "discovery of"))}
