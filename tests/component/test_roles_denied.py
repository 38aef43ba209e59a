"""What is known while the API denies some of it, hangs, or answers what cannot be read."""

from collections.abc import Mapping
from typing import Any

import pytest

from pd_exporter.kube.access import KubeAccess
from pd_exporter.kube.api import open_api
from pd_exporter.kube.podstate import running_pods
from pd_exporter.kube.watch import open_mirror
from tests.exposition import Page
from tests.fakes.kube_api import USER, KubeApi, kube_api
from tests.fakes.kube_objects import Object
from tests.fakes.kube_scaling import KEDA, hpa, part, policy, rbg_adapter, scaled_object, worker
from tests.kube import QUICK
from tests.roles_cluster import ADAPTERS, ROLE, SOURCE_UP, install_all, roles_cluster, whole
from tests.servers import until

READY = "pd_role_replicas_ready"
DESIRED = "pd_role_replicas_desired"
INFO = "pd_role_adapter_info"
SCALED_OBJECTS = f"scaledobjects.{KEDA}"


async def test_what_rbac_denies_is_a_problem_of_its_own_and_says_the_cure() -> None:
    async with roles_cluster(whole) as cluster:
        await cluster.all_up()
        cluster.api.forbid("list", "watch", plural="scaledobjects")
        cluster.api.drop_connections()
        page = await cluster.down_are(SCALED_OBJECTS)

        assert page.get("pd_role_scaledobject_ready", **ROLE) is None
        assert page.get(INFO, **ROLE) is None
        assert page.value("pd_role_replicas_max", **ROLE) == 6
        assert page.value(READY, **ROLE) == 1
        (subject,) = problems = await cluster.problems()
        assert subject == f"{SCALED_OBJECTS} in default"
        problem = problems[subject]
        assert problem.reason == "forbidden"
        assert f'User "{USER}" cannot watch resource "scaledobjects"' in problem.message
        assert "Role or ClusterRole that may list and watch scaledobjects.keda.sh" in problem.cure
        assert "kubectl auth can-i watch scaledobjects.keda.sh -n default" in problem.cure

        cluster.api.heal()
        page = await cluster.all_up()
        assert page.value("pd_role_scaledobject_ready", **ROLE) == 1


async def test_an_api_that_cannot_be_asked_what_it_has_hides_nothing_else() -> None:
    def before(api: KubeApi) -> None:
        whole(api)
        api.forbid("discover")

    async with roles_cluster(before) as cluster:
        page = await cluster.page()

        assert page.value(READY, **ROLE) == 1
        assert page.value(SOURCE_UP, resource="pods") == 1
        assert page.value(SOURCE_UP, resource=ADAPTERS) == 0
        problem = (await cluster.problems())[f"{ADAPTERS} in default"]
        assert problem.reason == "forbidden"
        assert "/apis/workloads.x-k8s.io" in problem.message
        assert "system:discovery" in problem.cure

        cluster.api.heal()
        await cluster.all_up()


@pytest.mark.parametrize(("code", "reason"), [(200, "invalid_reply"), (503, "server_error")])
async def test_answers_to_what_there_is_that_are_none(code: int, reason: str) -> None:
    def before(api: KubeApi) -> None:
        whole(api)
        api.fail("discover", code)

    async with roles_cluster(before) as cluster:
        problems = await cluster.problems()

        assert problems[f"{ADAPTERS} in default"].reason == reason


async def test_the_first_page_does_not_wait_for_an_api_that_hangs() -> None:
    def before(api: KubeApi) -> None:
        whole(api)
        api.hang("list", "discover")

    async with roles_cluster(before) as cluster:
        outcome = (await cluster.scraper.scrape(0.5)).outcomes[0]

        assert outcome.problem is None
        problems = {each.problem.reason for each in outcome.readings if each.problem}
        assert problems == {"starting"}
        assert all(each.problem for each in outcome.readings)


async def test_a_namespace_that_may_not_be_read_hides_no_other() -> None:
    def before(api: KubeApi) -> None:
        install_all(api)
        for namespace in ("a", "b"):
            api.create(worker("prefill", 0, namespace=namespace))
            api.create(rbg_adapter("prefill", 2, namespace=namespace))
        api.forbid("list", "watch", namespace="b")

    async with roles_cluster(before, ["a", "b"]) as cluster:
        page = await cluster.down_are("pods", namespace="b")

        assert page.value(READY, namespace="a") == 1
        assert page.get(READY, namespace="b") is None
        assert page.get("pd_pod_info", namespace="b") is None
        assert page.value(DESIRED, namespace="b") == 2
        problem = (await cluster.problems())["pods in b"]
        assert "watch pods -n b" in problem.cure

        cluster.api.heal()
        await cluster.shows(READY, 1, namespace="b")


async def test_a_watch_that_may_not_be_opened_any_more_takes_its_values_along() -> None:
    async with roles_cluster(whole) as cluster:
        await cluster.shows(READY, 1, **ROLE)
        cluster.api.forbid("watch", namespace="default")
        cluster.api.end_watches()

        page = await cluster.down_are("pods")
        assert page.get(READY, **ROLE) is None
        assert page.get("pd_pod_ready") is None
        assert page.value("pd_pod_info", **ROLE) == 1


@pytest.mark.parametrize("as_event", [True, False], ids=["in the watch", "of the watch"])
async def test_a_forgotten_version_is_listed_anew_and_nothing_gone_stays(*, as_event: bool) -> None:
    async with roles_cluster(whole) as cluster:
        api = cluster.api
        api.gone_as_event = as_event
        extra = api.create(worker("prefill", 1))
        await cluster.shows(READY, 2, **ROLE)
        api.mute()
        api.delete(extra)
        api.compact()
        api.drop_connections()

        page = await cluster.shows(READY, 1, **ROLE)
        assert page.get("pd_pod_info", pod="dynamo-pd-prefill-1") is None
        await cluster.all_up()


def bent(shown: Object, **parts: Any) -> Object:
    """The same object with parts that are not as they should be."""
    shown["metadata"].pop("uid", None)
    return shown | parts


ODD = [
    bent(worker("prefill", 7, group="odd"), status={}),
    bent(worker("prefill", 7, group="odd"), status={"conditions": None}),
    bent(worker("prefill", 7, group="odd"), status={"conditions": [{"type": "Ready"}]}),
    bent(worker("prefill", 7, group="odd"), spec={"nodeName": None}),
    bent(part("prefill", 7, 0, group="odd", size=0)),
    bent(part("prefill", 7, 0, group="odd", size=-1)),
    bent(rbg_adapter("prefill", group="odd"), status=None),
    bent(rbg_adapter("prefill"), spec={"scaleTargetRef": None, "replicas": 1}),
    bent(rbg_adapter("prefill", group="odd"), status={"phase": "Binding", "selector": None}),
    bent(hpa(rbg_adapter("prefill")), status=None, spec={"maxReplicas": 3}),
    bent(hpa(rbg_adapter("x")), status={"conditions": None}),
    bent(scaled_object(rbg_adapter("prefill")), spec={"triggers": []}),
    bent(scaled_object(rbg_adapter("x")), status={"conditions": [{"type": "Ready"}]}),
    bent(policy("prefill"), spec={"policies": [{"roles": None}]}),
    bent(policy("prefill"), spec=None),
]


async def test_odd_objects_cost_no_other_one_anything() -> None:
    async with roles_cluster(whole) as cluster:
        before = told(await cluster.all_up())
        for index, odd in enumerate(ODD):
            odd["metadata"]["name"] = f"odd-{index}"
            cluster.api.create(odd)
        last = rbg_adapter("last", 1)
        ready = {"Ready": "True"}
        for made in (worker("last", 0), last, hpa(last, "z"), scaled_object(last, "z", ready)):
            cluster.api.create(made)
        cluster.api.create(policy("last"))

        for name in (READY, DESIRED, "pd_role_replicas_min", "pd_role_scaledobject_ready"):
            await cluster.shows(name, 1, role="last")
        page = await cluster.shows("pd_role_coordination_blocked", 0, role="last")
        assert before.items() <= told(page).items()
        assert page.value("pd_collector_success") == 1


def told(page: Page) -> dict[tuple[str, ...], float]:
    """All that the collector tells, by name and labels."""
    return {
        (each.name, *each.labels.values()): each.value
        for each in page.samples
        if each.name.startswith(("pd_role", "pd_pod"))
    }


async def test_a_fault_of_the_exporter_is_told_and_what_it_hides_does_not_count() -> None:
    faulty = [True]

    def decode(shown: Mapping[str, Any], _since: float | None) -> tuple[str, str]:
        name = shown["metadata"]["name"]
        if faulty and name == "dynamo-pd-prefill-1":
            raise ZeroDivisionError
        return name, name

    async with (
        kube_api() as api,
        open_api(KubeAccess(api.url)) as kube,
        open_mirror(kube, running_pods("default"), decode, QUICK) as mirror,
    ):
        await mirror.first()
        api.create(worker("prefill", 1))

        async def told() -> bool:
            problem = mirror.known().problem
            return problem is not None and problem.reason == "failed"

        await until(told, "the fault to be told")
        faulty.clear()

        async def read() -> bool:
            known = mirror.known()
            return known.problem is None and "dynamo-pd-prefill-1" in (known.value or {})

        await until(read, "it to be read")
