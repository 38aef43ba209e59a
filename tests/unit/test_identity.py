"""Which role a pod plays, by its labels."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.identity import Identity, identify
from pd_exporter.kube.pod import Pod

RBG = {
    "rbg.workloads.x-k8s.io/group-name": "dynamo-pd",
    "rbg.workloads.x-k8s.io/role-name": "prefill",
}
OLD_RBG = {
    "rolebasedgroup.workloads.x-k8s.io/name": "old-pd",
    "rolebasedgroup.workloads.x-k8s.io/role": "decode",
}
DYNAMO = {
    "nvidia.com/dynamo-graph-deployment-name": "vllm-disagg",
    "nvidia.com/dynamo-namespace": "default-vllm-disagg",
}
LWS = {
    "leaderworkerset.sigs.k8s.io/name": "dynamo-pd-prefill",
    "leaderworkerset.sigs.k8s.io/group-index": "1",
}
GROVE = {
    "grove.io/podcliquescalinggroup": "vllm-disagg-0-decode",
    "grove.io/podcliquescalinggroup-replica-index": "2",
}


def identity(
    labels: Mapping[str, str], name: str = "some-pod", aliases: Mapping[str, str] | None = None
) -> Identity | None:
    return identify(Pod("ns", name, "uid", labels, {}), aliases or {})


def role(**dynamo: str) -> str | None:
    labels = {f"nvidia.com/dynamo-{key.replace('_', '-')}": value for key, value in dynamo.items()}
    found = identity(DYNAMO | labels)
    return found.role if found else None


def test_a_pod_of_a_role_based_group_has_its_role() -> None:
    assert identity(RBG) == Identity("dynamo-pd", "prefill", "some-pod")


def test_old_labels_are_as_good_as_new_ones() -> None:
    assert identity(OLD_RBG) == Identity("old-pd", "decode", "some-pod")


def test_new_labels_are_believed_before_old_ones_and_those_before_dynamos() -> None:
    dynamo = DYNAMO | {"nvidia.com/dynamo-component-type": "decode"}

    assert identity(dynamo | OLD_RBG | RBG) == Identity("dynamo-pd", "prefill", "some-pod")
    assert identity(dynamo | OLD_RBG) == Identity("old-pd", "decode", "some-pod")


@pytest.mark.parametrize("missing", RBG)
@pytest.mark.parametrize("blank", [True, False], ids=["empty", "absent"])
def test_group_and_role_are_never_of_two_families(missing: str, blank: bool) -> None:
    half = {key: value for key, value in RBG.items() if key != missing}
    half |= {missing: ""} if blank else {}

    assert identity(half) is None
    assert identity(half | OLD_RBG) == Identity("old-pd", "decode", "some-pod")


def test_a_pod_without_a_role_has_no_identity() -> None:
    assert identity({}) is None
    assert identity({"app": "web"} | LWS) is None
    assert identity(DYNAMO) is None
    assert identity({"nvidia.com/dynamo-component-type": "decode"}) is None


def test_another_name_for_a_role_stands_for_it_as_it_is_written() -> None:
    aliases = {"decoder": "decode", "VllmWorker": "decode"}
    decoder = RBG | {"rbg.workloads.x-k8s.io/role-name": "decoder"}
    worker = DYNAMO | {"nvidia.com/dynamo-component": "VllmWorker"}

    for labels in (decoder, worker):
        found = identity(labels, aliases=aliases)
        assert found is not None
        assert found.role == "decode"
    found = identity(decoder, aliases={"Decoder": "decode"})
    assert found is not None
    assert found.role == "decoder"


def test_dynamos_component_type_tells_the_role() -> None:
    assert role(component_type="prefill", component="Pool0") == "prefill"
    assert role(component_type="decode", component="VllmPrefillWorker") == "decode"


def test_dynamos_sub_type_tells_the_role_of_a_worker() -> None:
    assert role(component_type="worker", sub_component_type="prefill", component="A") == "prefill"
    assert role(component_type="worker", sub_component_type="decode") == "decode"
    assert role(component_type="frontend", sub_component_type="decode") == "frontend"


def test_dynamos_old_workers_say_their_role_in_their_name() -> None:
    assert role(component="VllmPrefillWorker", component_type="worker") == "prefill"
    assert role(component="VllmDecodeWorker", component_type="worker") == "decode"
    assert role(component="PrefillWorker") == "prefill"
    assert role(component="decode") == "decode"


def test_dynamos_other_components_are_roles_by_their_own_name() -> None:
    assert role(component="TRTLLMWorker", component_type="worker") == "TRTLLMWorker"
    assert role(component="PrefillDecodeWorker", component_type="worker") == "PrefillDecodeWorker"
    assert role(component="Encode", component_type="worker", sub_component_type="e") == "Encode"
    assert role(component="Decode2", component_type="worker", sub_component_type="e") == "Decode2"
    assert role(component="Frontend", component_type="frontend") == "Frontend"
    assert role(component="PrefillPlanner", component_type="planner") == "PrefillPlanner"
    assert role(component="VllmWorker") == "VllmWorker"
    assert role(component_type="worker") == "worker"


def test_a_graph_without_a_name_is_known_by_dynamos_namespace() -> None:
    labels = {"nvidia.com/dynamo-namespace": "dynamo", "nvidia.com/dynamo-component": "VllmWorker"}

    assert identity(labels) == Identity("dynamo", "VllmWorker", "some-pod")


@pytest.mark.parametrize(
    ("labels", "instance"),
    [
        ({"rbg.workloads.x-k8s.io/role-instance-name": "dynamo-pd-prefill-1"} | LWS, None),
        ({"instance.workloads.x-k8s.io/instance-name": "dynamo-pd-prefill-1"}, None),
        (LWS, None),
        (GROVE, "vllm-disagg-0-decode-2"),
    ],
)
def test_the_pods_of_a_leader_worker_replica_are_one_role_instance(
    labels: dict[str, str], instance: str | None
) -> None:
    leader = identity(RBG | labels, name="leader")
    worker = identity(RBG | labels | {"rbg.workloads.x-k8s.io/component-index": "1"}, name="worker")

    assert leader == worker == Identity("dynamo-pd", "prefill", instance or "dynamo-pd-prefill-1")


@pytest.mark.parametrize(
    "labels",
    [
        {"rbg.workloads.x-k8s.io/role-instance-index": "2"},
        {"leaderworkerset.sigs.k8s.io/name": "lws"},
        {"grove.io/podcliquescalinggroup-replica-index": "0"},
        {"grove.io/podclique": "vllm-disagg-0-decode"},
    ],
)
def test_where_no_label_tells_the_instance_it_is_the_pod(labels: dict[str, str]) -> None:
    assert identity(RBG | labels) == Identity("dynamo-pd", "prefill", "some-pod")


KNOWN = {
    **RBG,
    **OLD_RBG,
    **DYNAMO,
    **LWS,
    **GROVE,
    "rbg.workloads.x-k8s.io/role-instance-name": "i",
    "nvidia.com/dynamo-component": "VllmPrefillWorker",
    "nvidia.com/dynamo-component-type": "worker",
    "nvidia.com/dynamo-sub-component-type": "decode",
}
some_labels = st.dictionaries(
    st.sampled_from(sorted(KNOWN)), st.sampled_from(["", "prefill", "decode", "worker"]) | st.text()
)


@given(some_labels, st.dictionaries(st.text(), st.text()), st.data())
def test_neither_order_nor_other_labels_matter(
    labels: dict[str, str], others: dict[str, str], data: st.DataObject
) -> None:
    strangers = {key: value for key, value in others.items() if key not in KNOWN}
    shuffled = dict(data.draw(st.permutations([*labels.items(), *strangers.items()])))

    assert identity(shuffled) == identity(labels)


@given(some_labels, st.text(min_size=1), st.dictionaries(st.text(), st.text(min_size=1)))
def test_an_identity_is_complete_or_not_there(
    labels: dict[str, str], name: str, aliases: dict[str, str]
) -> None:
    found = identity(labels, name, aliases)

    assert found is None or (found.group and found.role and found.role_instance)
