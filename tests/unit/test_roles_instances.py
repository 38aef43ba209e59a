"""Which pods make an instance, and whether it is Ready."""

import pytest

from pd_exporter.config import RoleSettings
from tests.fakes.kube_objects import Object, pod
from tests.fakes.kube_scaling import (
    OLD_ROLE_LABEL,
    READY_SINCE,
    READY_SINCE_UNIX,
    ROLE_LABEL,
    dynamo_worker,
    ending,
    old_worker,
    part,
    rbg_adapter,
    worker,
)
from tests.roles_view import page_of, values, view_of, without

READY = "pd_role_instance_ready"
SINCE = "pd_role_instance_ready_timestamp_seconds"
REPLICAS = "pd_role_replicas_ready"


def instances(*pods: Object) -> dict[str, float]:
    return values(page_of(view_of(*pods)), READY, "role_instance")


def test_a_pod_alone_is_an_instance() -> None:
    page = page_of(view_of(worker("prefill", 0), worker("prefill", 1, ready=None, node="")))

    assert values(page, READY, "role_instance") == {
        "dynamo-pd-prefill-0": 1,
        "dynamo-pd-prefill-1": 0,
    }
    assert page.value(REPLICAS, role="prefill") == 1
    assert values(page, "pd_pod_info", "node") == {"node-a": 1, "": 1}
    assert values(page, "pd_pod_ready", "pod") == {
        "dynamo-pd-prefill-0": 1,
        "dynamo-pd-prefill-1": 0,
    }


def test_leader_and_workers_are_one_instance() -> None:
    page = page_of(view_of(*(part("decode", 0, index, size=3) for index in range(3))))

    assert values(page, READY, "role_instance") == {"dynamo-pd-decode-0": 1}
    assert page.value(REPLICAS) == 1
    assert len(values(page, "pd_pod_ready", "pod")) == 3


@pytest.mark.parametrize(
    "pods",
    [
        [part("decode", 0, 0)],
        [part("decode", 0, 1)],
        [part("decode", 0, 0), part("decode", 0, 1, ready=None)],
        [part("decode", 0, 0), ending(part("decode", 0, 1))],
        [part("decode", 0, 0, size=3), part("decode", 0, 2, size=3)],
    ],
    ids=["no worker", "no leader", "worker not ready", "worker ends", "one of two workers"],
)
def test_an_instance_that_is_not_complete_is_not_ready(pods: list[Object]) -> None:
    assert instances(*pods) == {"dynamo-pd-decode-0": 0}
    assert page_of(view_of(*pods)).value(REPLICAS) == 0


def test_a_pod_that_ends_is_not_ready_though_its_status_says_so() -> None:
    page = page_of(view_of(ending(worker("prefill", 0)), worker("prefill", 1)))

    assert values(page, "pd_pod_ready", "pod") == {
        "dynamo-pd-prefill-0": 0,
        "dynamo-pd-prefill-1": 1,
    }
    assert page.value(REPLICAS) == 1


@pytest.mark.parametrize("count", [1, 6])
def test_a_role_has_as_many_instances_as_pods(count: int) -> None:
    page = page_of(view_of(*(worker("prefill", index) for index in range(count))))

    assert page.value(REPLICAS) == count


def custom(instance: int, component: str, index: int, size: int) -> Object:
    """A pod of customComponentsPattern: no index, and each component has its own size."""
    made = worker("decode", instance)
    made["metadata"]["name"] += f"-{component}-{index}"
    made["metadata"]["labels"] |= {
        f"{ROLE_LABEL}/component-name": component,
        f"{ROLE_LABEL}/component-size": str(size),
    }
    return made


def test_custom_components_have_a_size_each() -> None:
    whole = [custom(0, "router", 0, 1), custom(0, "worker", 0, 2), custom(0, "worker", 1, 2)]

    assert instances(*whole) == {"dynamo-pd-decode-0": 1}
    assert instances(*whole[:2]) == {"dynamo-pd-decode-0": 0}
    assert instances(*whole[1:]) == {"dynamo-pd-decode-0": 1}  # that there is a router nobody told


def old_part(index: int, size: int = 2) -> Object:
    """A leader or worker of RoleBasedGroup 0.5 and 0.6 with InstanceSets."""
    made = old_worker("decode", 0)
    made["metadata"]["name"] += f"-{index}"
    made["metadata"]["labels"] |= {
        "instance.workloads.x-k8s.io/instance-name": "dynamo-pd-decode-0",
        "instance.workloads.x-k8s.io/component-name": "worker" if index else "leader",
        "component.rolebasedgroup.workloads.x-k8s.io/size": str(size),
        "component.rolebasedgroup.workloads.x-k8s.io/index": str(index),
    }
    return made


def test_the_old_labels_tell_sizes_too() -> None:
    assert instances(old_part(0), old_part(1)) == {"dynamo-pd-decode-0": 1}
    assert instances(old_part(0)) == {"dynamo-pd-decode-0": 0}


def lws_part(index: int, size: str = "2") -> Object:
    """A pod of a LeaderWorkerSet."""
    labels = {
        f"{OLD_ROLE_LABEL}/name": "dynamo-pd",
        f"{OLD_ROLE_LABEL}/role": "decode",
        "leaderworkerset.sigs.k8s.io/name": "dynamo-pd-decode",
        "leaderworkerset.sigs.k8s.io/group-index": "0",
        "leaderworkerset.sigs.k8s.io/worker-index": str(index),
    }
    annotations = {"leaderworkerset.sigs.k8s.io/size": size}
    name = f"dynamo-pd-decode-0-{index}"
    return pod(name, labels=labels, annotations=annotations, ready=READY_SINCE)


def test_a_leader_worker_set_tells_the_size_by_an_annotation() -> None:
    assert instances(lws_part(0), lws_part(1)) == {"dynamo-pd-decode-0": 1}
    assert instances(lws_part(0)) == {"dynamo-pd-decode-0": 0}


@pytest.mark.parametrize("size", ["", "two", "-1", "1.5", "²"])
def test_where_no_size_is_told_those_that_are_there_count(size: str) -> None:
    assert instances(lws_part(0, size)) == {"dynamo-pd-decode-0": 1}


def test_pods_of_an_instance_whose_size_nobody_told_are_all_that_it_has() -> None:
    def grove(index: int, ready: str | None = READY_SINCE) -> Object:
        made = dynamo_worker("decode", index, ready=ready)
        made["metadata"]["labels"] |= {
            "grove.io/podcliquescalinggroup": "vllm-disagg-0-decode",
            "grove.io/podcliquescalinggroup-replica-index": "1",
        }
        return made

    assert instances(grove(0), grove(1)) == {"vllm-disagg-0-decode-1": 1}
    assert instances(grove(0), grove(1, None)) == {"vllm-disagg-0-decode-1": 0}


def test_both_label_families_of_one_role_count_together() -> None:
    page = page_of(view_of(worker("prefill", 0), old_worker("prefill", 7)))

    assert page.value(REPLICAS, group="dynamo-pd", role="prefill") == 2


def test_aliases_hold() -> None:
    page = page_of(view_of(old_worker("decoder", 0), rbg_adapter("decoder", 3)))

    assert page.value(REPLICAS, role="decode") == 1
    assert page.value("pd_role_replicas_desired", role="decode") == 3


def test_pods_of_a_dynamo_graph_deployment() -> None:
    page = page_of(view_of(dynamo_worker("VllmPrefillWorker", 0), dynamo_worker("Frontend", 0)))

    assert values(page, REPLICAS, "role") == {"prefill": 1, "Frontend": 1}
    assert values(page, REPLICAS, "group") == {"vllm-disagg": 1}


def test_pods_without_a_role_give_nothing() -> None:
    page = page_of(view_of(pod("notebook", ready=READY_SINCE)))

    assert page.get("pd_pod_info") is None


def test_an_instance_is_ready_since_the_last_of_its_pods_is() -> None:
    late = part("decode", 0, 1, ready="2026-01-02T03:05:05+00:00")
    view = view_of(part("decode", 0, 0), late, worker("prefill", 0), part("decode", 1, 0))

    assert values(page_of(view), SINCE, "role_instance") == {
        "dynamo-pd-decode-0": READY_SINCE_UNIX + 60,
        "dynamo-pd-prefill-0": READY_SINCE_UNIX,
    }


def test_a_pod_that_does_not_tell_since_when_it_is_ready_is_ready_all_the_same() -> None:
    timeless = worker("prefill", 0)
    del timeless["status"]["conditions"][0]["lastTransitionTime"]
    page = page_of(view_of(timeless))

    assert page.value(READY) == 1
    assert page.get(SINCE) is None


def test_an_instance_of_which_one_pod_does_not_tell_it_does_not_either() -> None:
    timeless = part("decode", 0, 1)
    del timeless["status"]["conditions"][0]["lastTransitionTime"]
    page = page_of(view_of(part("decode", 0, 0), timeless))

    assert page.value(READY) == 1
    assert page.get(SINCE) is None


def test_without_an_up_to_date_view_of_pods_only_who_they_are_is_told() -> None:
    view = without(view_of(worker("prefill", 0), rbg_adapter("prefill", 2)), "pods")
    page = page_of(view)

    assert page.value("pd_pod_info", pod="dynamo-pd-prefill-0") == 1
    assert page.value("pd_role_replicas_desired") == 2
    for name in ("pd_pod_ready", READY, SINCE, REPLICAS):
        assert page.get(name) is None


def test_an_adapter_s_role_without_pods_has_none_ready() -> None:
    assert page_of(view_of(rbg_adapter("prefill", 2))).value(REPLICAS, role="prefill") == 0


def test_a_role_that_only_the_configuration_names_has_no_counted_instances() -> None:
    settings = RoleSettings(
        namespace="default",
        group="g",
        role="prefill",
        startup_seconds=120,
        worker_concurrency=2,
        service_prior_seconds=0.4,
        wait_goal_seconds=5,
    )
    page = page_of(view_of(), settings)

    assert page.get(REPLICAS) is None
    assert page.value("pd_role_startup_seconds", group="g", role="prefill") == 120
    assert page.value("pd_role_worker_concurrency") == 2
    assert page.value("pd_role_service_prior_seconds") == 0.4
    assert page.value("pd_role_wait_goal_seconds") == 5


@pytest.mark.parametrize("status", ["Unknown", "False", ""])
def test_a_pod_whose_node_is_lost_is_not_ready(status: str) -> None:
    lost = worker("prefill", 0)
    lost["status"]["conditions"][0]["status"] = status
    page = page_of(view_of(lost, worker("prefill", 1)))

    assert values(page, "pd_pod_ready", "pod") == {
        "dynamo-pd-prefill-0": 0,
        "dynamo-pd-prefill-1": 1,
    }
    assert page.value(REPLICAS) == 1
    assert values(page, SINCE, "role_instance") == {"dynamo-pd-prefill-1": READY_SINCE_UNIX}


@pytest.mark.parametrize("other", ["ContainersReady", "PodScheduled", "InstancePodReady"])
def test_no_other_condition_is_taken_for_that_of_readiness(other: str) -> None:
    made = worker("prefill", 0, ready=None)
    since = {"status": "True", "lastTransitionTime": READY_SINCE}
    made["status"]["conditions"].append({"type": other, **since})

    assert instances(made) == {"dynamo-pd-prefill-0": 0}


def test_a_pod_of_both_label_families_counts_once_by_the_new_one() -> None:
    both = worker("prefill", 0)
    both["metadata"]["labels"] |= old_worker("decode", 0, "old")["metadata"]["labels"]
    page = page_of(view_of(both))

    assert values(page, REPLICAS, "role") == {"prefill": 1}
    assert values(page, REPLICAS, "group") == {"dynamo-pd": 1}


def test_instances_of_one_name_in_two_roles_are_two() -> None:
    other = part("prefill", 0, 1)
    other["metadata"]["labels"][f"{ROLE_LABEL}/role-instance-name"] = "dynamo-pd-decode-0"

    assert values(page_of(view_of(part("decode", 0, 0), other)), REPLICAS, "role") == {
        "decode": 0,
        "prefill": 0,
    }
