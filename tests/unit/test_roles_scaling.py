"""Adapters, and the autoscalers on them."""

import pytest

from tests.exposition import Page
from tests.fakes.kube_objects import Object
from tests.fakes.kube_scaling import (
    dgd_adapter,
    dynamo_worker,
    hpa,
    rbg_adapter,
    scaled_object,
    worker,
)
from tests.roles_view import page_of, problems_of, values, view_of, without

DESIRED = "pd_role_replicas_desired"
LEAST, MOST = "pd_role_replicas_min", "pd_role_replicas_max"
INFO = "pd_role_adapter_info"
PAUSED = "autoscaling.keda.sh/paused"
OF_SCALED_OBJECT = {
    "pd_role_scaledobject_ready",
    "pd_role_scaledobject_active",
    "pd_role_scaledobject_fallback",
    "pd_role_scaledobject_paused",
}


def page(*objects: Object) -> Page:
    return page_of(view_of(*objects))


def told(page: Page, names: set[str]) -> dict[str, float]:
    return {each.name: each.value for each in page.samples if each.name in names}


def test_an_adapter_tells_what_is_desired_and_how_it_is() -> None:
    shown = page(rbg_adapter("prefill", 4), rbg_adapter("decode", 2, phase="NotBound", selector=""))

    assert values(shown, DESIRED, "role") == {"prefill": 4, "decode": 2}
    assert values(shown, "pd_role_adapter_bound", "role") == {"prefill": 1, "decode": 0}
    assert values(shown, "pd_role_adapter_selector_present", "role") == {"prefill": 1, "decode": 0}


def test_an_adapter_that_asks_for_nothing_yet_is_not_taken_for_none_asked() -> None:
    fresh = rbg_adapter("prefill", None)
    del fresh["status"]
    shown = page(fresh)

    assert shown.get(DESIRED) is None
    assert shown.value("pd_role_adapter_bound") == 0
    assert shown.value("pd_role_adapter_selector_present") == 0


def test_an_hpa_tells_bounds_and_whether_it_computes() -> None:
    adapter = rbg_adapter("prefill")
    shown = page(adapter, hpa(adapter, conditions={"ScalingActive": "False"}, least=2))

    assert shown.value(LEAST, role="prefill") == 2
    assert shown.value(MOST) == 6
    assert shown.value("pd_role_hpa_active") == 0


@pytest.mark.parametrize("conditions", [{}, {"ScalingActive": "Unknown"}, {"AbleToScale": "True"}])
def test_an_hpa_that_does_not_know_yet_is_not_called_inactive(conditions: dict[str, str]) -> None:
    adapter = rbg_adapter("prefill")

    assert page(adapter, hpa(adapter, conditions=conditions)).get("pd_role_hpa_active") is None


def test_an_hpa_names_the_adapter_in_any_version() -> None:
    other = rbg_adapter("prefill", version="v1alpha1")

    assert page(rbg_adapter("prefill"), hpa(other)).value(MOST) == 6


@pytest.mark.parametrize(
    "change",
    [{"kind": "Deployment"}, {"name": "other"}, {"apiVersion": "nvidia.com/v1beta1"}],
    ids=str,
)
def test_an_hpa_on_something_else_does_not_count(change: dict[str, str]) -> None:
    adapter = rbg_adapter("prefill")
    other = hpa(adapter)
    other["spec"]["scaleTargetRef"] |= change

    assert page(adapter, other).get(MOST) is None


def test_an_hpa_in_another_namespace_does_not_count() -> None:
    assert (
        page(rbg_adapter("prefill"), hpa(rbg_adapter("prefill", namespace="x"))).get(MOST) is None
    )


def test_an_hpa_without_a_minimum_keeps_one() -> None:
    adapter = rbg_adapter("prefill")
    made = hpa(adapter)
    del made["spec"]["minReplicas"]

    assert page(adapter, made).value(LEAST) == 1


def test_while_there_is_no_hpa_the_scaled_object_tells_the_bounds() -> None:
    adapter = rbg_adapter("prefill")
    bounds = {"minReplicaCount": 2, "maxReplicaCount": 8}
    shown = page(adapter, scaled_object(adapter, bounds=bounds))

    assert (shown.value(LEAST), shown.value(MOST)) == (2, 8)

    shown = page(adapter, scaled_object(adapter))
    assert (shown.value(LEAST), shown.value(MOST)) == (0, 100)

    shown = page(adapter, scaled_object(adapter, bounds=bounds), hpa(adapter, least=1, most=6))
    assert (shown.value(LEAST), shown.value(MOST)) == (1, 6)


def test_conditions_of_a_scaled_object() -> None:
    adapter = rbg_adapter("prefill")
    conditions = {"Ready": "True", "Active": "False", "Fallback": "True", "Paused": "False"}

    assert told(page(adapter, scaled_object(adapter, conditions=conditions)), OF_SCALED_OBJECT) == {
        "pd_role_scaledobject_ready": 1,
        "pd_role_scaledobject_active": 0,
        "pd_role_scaledobject_fallback": 1,
        "pd_role_scaledobject_paused": 0,
    }


def test_what_keda_does_not_know_is_not_told() -> None:
    adapter = rbg_adapter("prefill")
    unknown = dict.fromkeys(("Ready", "Active", "Fallback", "Paused"), "Unknown")

    assert told(page(adapter, scaled_object(adapter, conditions=unknown)), OF_SCALED_OBJECT) == {}
    assert told(page(adapter, scaled_object(adapter)), OF_SCALED_OBJECT) == {}


@pytest.mark.parametrize(
    ("annotations", "paused"),
    [
        ({PAUSED: "true"}, 1),
        ({PAUSED: ""}, 1),
        ({PAUSED: "false"}, None),
        ({f"{PAUSED}-replicas": "2"}, 1),
        ({f"{PAUSED}-scale-in": "true"}, None),
    ],
    ids=str,
)
def test_a_pause_may_be_told_by_an_annotation(
    annotations: dict[str, str], paused: float | None
) -> None:
    adapter = rbg_adapter("prefill")
    made = scaled_object(adapter, conditions={"Paused": "Unknown"}, annotations=annotations)
    made["status"]["pausedReplicaCount"] = 2

    assert page(adapter, made).get("pd_role_scaledobject_paused") == paused


def test_a_pause_at_a_number_of_replicas_counts_once_keda_has_taken_it_in() -> None:
    adapter = rbg_adapter("prefill")
    made = scaled_object(adapter, annotations={f"{PAUSED}-replicas": "2"})

    assert page(adapter, made).get("pd_role_scaledobject_paused") is None


def test_an_adapter_s_autoscalers_are_named() -> None:
    adapter = rbg_adapter("prefill")
    shown = page(adapter, hpa(adapter), scaled_object(adapter), rbg_adapter("decode"))

    kind = "RoleBasedGroupScalingAdapter"
    assert shown.value(INFO, role="prefill", hpa="keda-hpa-prefill", scaledobject="prefill") == 1
    assert shown.value(INFO, role="decode", hpa="", scaledobject="", kind=kind) == 1
    assert shown.value(INFO, adapter="dynamo-pd-decode", version="v1alpha2") == 1


def test_two_hpas_on_one_adapter_are_a_problem_and_give_no_values() -> None:
    adapter = rbg_adapter("prefill")
    view = view_of(adapter, hpa(adapter, "a"), hpa(adapter, "b"), scaled_object(adapter))
    shown = page_of(view)

    for name in (LEAST, MOST, "pd_role_hpa_active"):
        assert shown.get(name) is None
    assert shown.value(DESIRED) == 1
    assert shown.value(INFO, hpa="a,b") == 1
    problem = problems_of(view)["default/dynamo-pd/prefill"]
    assert problem.reason == "ambiguous"
    assert problem.message == (
        "Several HPAs scale RoleBasedGroupScalingAdapter default/dynamo-pd-prefill: a, b."
    )


def test_two_scaled_objects_on_one_adapter_are_a_problem() -> None:
    adapter = rbg_adapter("prefill")
    both = (scaled_object(adapter, name, {"Ready": "True"}) for name in "ab")
    view = view_of(adapter, *both)

    assert told(page_of(view), OF_SCALED_OBJECT) == {}
    assert "Several ScaledObjects" in problems_of(view)["default/dynamo-pd/prefill"].message


def test_an_adapter_made_by_hand_that_is_never_bound_does_not_count_beside_the_real_one() -> None:
    view = view_of(rbg_adapter("prefill", 3), rbg_adapter("prefill", 9, name="by-hand", phase=""))

    assert page_of(view).value(DESIRED) == 3
    assert problems_of(view) == {}


def test_two_bound_adapters_of_one_role_are_a_problem_and_give_no_values() -> None:
    view = view_of(rbg_adapter("prefill", 3), rbg_adapter("prefill", 9, name="other"))
    shown = page_of(view)

    assert shown.get(DESIRED) is None
    assert shown.get(INFO) is None
    assert shown.value("pd_role_replicas_ready") == 0
    problem = problems_of(view)["default/dynamo-pd/prefill"]
    assert "dynamo-pd-prefill, RoleBasedGroupScalingAdapter other" in problem.message
    assert problem.cure == "Delete all but the one that the group's controller made."


@pytest.mark.parametrize(
    ("version", "ref"),
    [
        ("v1beta1", {"componentName": "VllmPrefillWorker"}),
        ("v1alpha1", {"serviceName": "VllmPrefillWorker"}),
    ],
)
def test_dynamo_s_adapters_name_components(version: str, ref: dict[str, str]) -> None:
    shown = page(dgd_adapter(ref, 3, version=version))

    assert shown.value(DESIRED, group="vllm-disagg", role="prefill") == 3
    assert shown.value("pd_role_replicas_ready", role="prefill") == 0
    assert shown.value("pd_role_adapter_selector_present") == 1
    assert shown.get("pd_role_adapter_bound") is None
    assert shown.value(INFO, version=version) == 1


def test_the_labels_of_a_component_s_pods_tell_its_role() -> None:
    adapter = dgd_adapter({"componentName": "Backend"}, 2)
    pods = [dynamo_worker("Backend", 0, kind="decode"), dynamo_worker("Backend", 1, kind="decode")]

    assert page(adapter, *pods).value(DESIRED, role="decode") == 2
    assert page(adapter).value(DESIRED, role="Backend") == 2

    view = without(view_of(adapter, *pods), "pods")
    assert page_of(view).value(DESIRED, role="decode") == 2


def test_pods_that_do_not_agree_on_the_role_leave_it_to_the_name() -> None:
    adapter = dgd_adapter({"componentName": "decode"}, 2)
    pods = [dynamo_worker("decode", 0, kind="prefill"), dynamo_worker("decode", 1, kind="decode")]

    assert values(page(adapter, *pods), DESIRED, "role") == {"decode": 2}


def test_an_adapter_of_several_components_is_of_no_role() -> None:
    adapter = dgd_adapter({"componentGroupName": "experts"})

    assert page(adapter).get(DESIRED) is None
    assert page(adapter, worker("decode", 0, group="vllm-disagg")).get(DESIRED) is None


@pytest.mark.parametrize(
    ("part", "gone"),
    [
        ("rbg_adapters", {DESIRED, LEAST, MOST, INFO, "pd_role_hpa_active"} | OF_SCALED_OBJECT),
        ("hpas", {LEAST, MOST, INFO, "pd_role_hpa_active"}),
        ("scaled_objects", {INFO} | OF_SCALED_OBJECT),
        ("dgd_adapters", set()),
    ],
)
def test_values_go_piece_by_piece_with_what_they_come_from(part: str, gone: set[str]) -> None:
    adapter = rbg_adapter("prefill", 1)
    conditions = dict.fromkeys(("Ready", "Active", "Fallback", "Paused"), "True")
    view = view_of(
        adapter,
        hpa(adapter, conditions={"ScalingActive": "True"}),
        scaled_object(adapter, conditions=conditions),
        worker("prefill", 0),
    )
    before = {each.name for each in page_of(view).samples}

    after = {each.name for each in page_of(without(view, part)).samples}

    adapters_own = {"pd_role_adapter_bound", "pd_role_adapter_selector_present"}
    assert before - after - adapters_own == gone


def test_two_adapters_whose_roles_an_alias_makes_one_are_no_reason_to_delete_any() -> None:
    view = view_of(rbg_adapter("decode", 3), rbg_adapter("decoder", 2))

    assert page_of(view).get(DESIRED) is None
    problem = problems_of(view)["default/dynamo-pd/decode"]
    assert problem.reason == "ambiguous"
    assert problem.cure.startswith("decode, decoder are that role: take the alias out of")
    assert "Delete" not in problem.cure


def test_two_components_of_one_type_are_no_reason_to_delete_an_adapter() -> None:
    parts = ("PrefillSmall", "PrefillLarge")
    adapters = [dgd_adapter({"componentName": part}, name=part.lower()) for part in parts]
    view = view_of(*adapters, *(dynamo_worker(part, 0, kind="prefill") for part in parts))

    assert page_of(view).get(DESIRED) is None
    assert page_of(view).value("pd_role_replicas_ready", role="prefill") == 2
    assert "Dynamo's components" in problems_of(view)["default/vllm-disagg/prefill"].cure


def test_an_adapter_that_cannot_but_be_bound_counts_beside_others() -> None:
    dynamo = dgd_adapter({"componentName": "prefill"}, 2, graph="dynamo-pd")

    assert page(dynamo, rbg_adapter("prefill", 3)).get(DESIRED) is None
    assert page(dynamo, rbg_adapter("prefill", 3, phase="NotBound")).value(DESIRED) == 2


def test_two_adapters_that_are_not_bound_are_a_problem_too() -> None:
    view = view_of(*(rbg_adapter("prefill", name=name, phase="NotBound") for name in "ab"))

    assert page_of(view).get(DESIRED) is None
    assert "ambiguous" in {problem.reason for problem in problems_of(view).values()}


def test_an_hpa_that_goes_while_its_scaled_object_stays_leaves_the_bounds_to_that() -> None:
    adapter = rbg_adapter("prefill", 0)
    paused = {"Ready": "True", "Paused": "True", "Active": "False"}
    bounds = {"minReplicaCount": 2, "maxReplicaCount": 8}
    shown = page(adapter, scaled_object(adapter, conditions=paused, bounds=bounds))

    assert shown.value(DESIRED) == 0
    assert (shown.value(LEAST), shown.value(MOST)) == (2, 8)
    assert shown.value("pd_role_scaledobject_paused") == 1
    assert shown.get("pd_role_hpa_active") is None
    assert shown.value(INFO, hpa="", scaledobject="prefill") == 1
