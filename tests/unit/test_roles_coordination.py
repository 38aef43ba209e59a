"""Whether roles that are scaled in step wait for each other."""

import pytest

from tests.fakes.kube_objects import Object
from tests.fakes.kube_scaling import ending, old_group, part, policy, rbg_adapter, worker
from tests.roles_view import page_of, values, view_of, without

BLOCKED = "pd_role_coordination_blocked"


def blocked(*objects: Object) -> dict[str, float]:
    return values(page_of(view_of(*objects)), BLOCKED, "role")


def wanting(prefill: int | None, decode: int | None) -> list[Object]:
    return [rbg_adapter("prefill", prefill), rbg_adapter("decode", decode)]


PENDING_DECODE = [worker("decode", 0), worker("decode", 1, ready=None, node="")]
LOADING_DECODE = [worker("decode", 0), worker("decode", 1, ready=None)]


def test_a_pending_pod_of_decode_holds_prefill_up() -> None:
    pods = [worker("prefill", 0), *PENDING_DECODE]

    assert blocked(policy("prefill", "decode"), *wanting(6, 4), *pods) == {
        "prefill": 1,
        "decode": 1,
    }


def test_it_holds_up_a_role_that_is_to_shrink_too() -> None:
    pods = [worker("prefill", 0), worker("prefill", 1), *PENDING_DECODE]

    assert blocked(policy("prefill", "decode"), *wanting(1, 4), *pods)["prefill"] == 1


def test_a_role_that_has_what_is_desired_is_not_held_up() -> None:
    pods = [worker("prefill", 0), *PENDING_DECODE]

    assert blocked(policy("prefill", "decode"), *wanting(1, 4), *pods) == {
        "prefill": 0,
        "decode": 1,
    }


def test_a_role_that_has_all_its_instances_holds_up_nobody() -> None:
    pods = [worker("prefill", 0), *PENDING_DECODE]

    assert blocked(policy("prefill", "decode"), *wanting(6, 2), *pods) == {
        "prefill": 0,
        "decode": 0,
    }


def test_a_role_without_instances_holds_up_nobody() -> None:
    assert blocked(policy("prefill", "decode"), *wanting(6, 4), worker("prefill", 0)) == {
        "prefill": 0,
        "decode": 0,
    }


@pytest.mark.parametrize(
    ("progression", "waits"),
    [(None, 0), ("OrderScheduled", 0), ("OrderReady", 1), ("Parallel", 0)],
)
def test_what_is_waited_for_is_the_progression_s(progression: str | None, waits: int) -> None:
    pods = [worker("prefill", 0), *LOADING_DECODE]
    rule = policy("prefill", "decode", progression=progression)

    assert blocked(rule, *wanting(6, 4), *pods)["prefill"] == waits


def test_an_instance_is_scheduled_when_all_its_pods_are() -> None:
    pods = [part("decode", 0, 0), part("decode", 0, 1, ready=None, node=""), worker("prefill", 0)]

    assert blocked(policy("prefill", "decode"), *wanting(6, 4), *pods)["prefill"] == 1


def test_an_instance_that_lacks_a_pod_is_not_scheduled() -> None:
    pods = [part("decode", 0, 0), worker("prefill", 0)]

    assert blocked(policy("prefill", "decode"), *wanting(6, 4), *pods)["prefill"] == 1


def test_an_instance_of_which_one_pod_alone_ends_is_still_one_to_get_rid_of() -> None:
    decode = [part("decode", 0, 0), part("decode", 0, 1), part("decode", 1, 0)]
    pods = [worker("prefill", 0, ready=None, node=""), *decode, ending(part("decode", 1, 1))]

    assert blocked(policy("prefill", "decode"), *wanting(6, 1), *pods)["decode"] == 1


def test_an_instance_that_is_about_to_end_is_none() -> None:
    last = ending(worker("decode", 1, ready=None, node=""))
    pods = [worker("prefill", 0), worker("decode", 0), last]

    assert blocked(policy("prefill", "decode"), *wanting(6, 1), *pods)["decode"] == 0


def test_a_policy_of_another_name_than_the_group_s_has_no_effect() -> None:
    pods = [worker("prefill", 0), *PENDING_DECODE]

    assert blocked(policy("prefill", "decode", name="pd-policy"), *wanting(6, 4), *pods) == {}


def test_a_policy_for_rolling_updates_alone_is_none() -> None:
    rule = policy("prefill", "decode")
    rule["spec"]["policies"][0]["strategy"] = {"rollingUpdate": {"maxSkew": "10%"}}

    assert blocked(rule, *wanting(6, 4), worker("prefill", 0), *PENDING_DECODE) == {}


def test_roles_outside_the_policy_have_no_such_value() -> None:
    pods = [worker("prefill", 0), worker("router", 0), *PENDING_DECODE]

    assert "router" not in blocked(policy("prefill", "decode"), *wanting(6, 4), *pods)


def test_where_it_is_not_known_what_is_desired_it_is_not_told_who_is_held_up() -> None:
    pods = [worker("prefill", 0), *PENDING_DECODE]
    rule = policy("prefill", "decode")

    assert blocked(rule, rbg_adapter("prefill", 6), *pods) == {}
    assert blocked(rule, *wanting(6, None), *pods) == {}
    assert blocked(rule, rbg_adapter("prefill", 6), worker("prefill", 0), worker("decode", 0)) == {
        "prefill": 0
    }


def test_the_most_that_any_rule_says_holds() -> None:
    rule = policy("prefill", "router")
    rule["spec"]["policies"] += policy("prefill", "decode")["spec"]["policies"]

    assert blocked(rule, *wanting(6, 4), worker("prefill", 0), *PENDING_DECODE)["prefill"] == 1


def test_roles_of_another_rule_hold_up_nobody_of_this_one() -> None:
    rule = policy("prefill", "router")
    rule["spec"]["policies"] += policy("decode", "encoder")["spec"]["policies"]

    assert blocked(rule, *wanting(6, 4), worker("prefill", 0), *PENDING_DECODE) == {
        "prefill": 0,
        "decode": 1,
    }


def test_up_to_0_6_the_group_itself_has_the_rule() -> None:
    pods = [worker("prefill", 0), *LOADING_DECODE]

    assert blocked(old_group("prefill", "decode"), *wanting(6, 4), *pods) == {
        "prefill": 1,
        "decode": 1,
    }


def test_roles_of_a_rule_have_aliases() -> None:
    pods = [worker("prefill", 0), worker("decoder", 0, ready=None, node="")]
    adapters = [rbg_adapter("prefill", 6), rbg_adapter("decoder", 4)]

    assert blocked(policy("prefill", "decoder"), *adapters, *pods) == {"prefill": 1, "decode": 1}


@pytest.mark.parametrize("part", ["pods", "rbg_adapters", "policies", "groups"])
def test_it_is_told_only_while_all_that_it_comes_from_is_up_to_date(part: str) -> None:
    objects = [policy("prefill", "decode"), *wanting(6, 4), worker("prefill", 0), *PENDING_DECODE]

    page = page_of(without(view_of(*objects), part))

    assert values(page, BLOCKED, "role") == {}


def test_what_an_adapter_asks_for_that_is_not_bound_is_not_waited_for() -> None:
    pods = [worker("prefill", 0), *PENDING_DECODE]
    rule = policy("prefill", "decode")

    assert blocked(rule, rbg_adapter("prefill", 6), rbg_adapter("decode", 4, phase=""), *pods) == {}


def test_a_role_whose_instance_is_made_anew_is_not_being_scaled_up() -> None:
    anew = ending(worker("decode", 2))
    pods = [worker("prefill", 0), *PENDING_DECODE, anew]

    assert blocked(policy("prefill", "decode"), *wanting(6, 3), *pods) == {
        "prefill": 0,
        "decode": 0,
    }


def test_a_role_that_lacks_only_an_instance_that_is_made_anew_is_not_held_up() -> None:
    pods = [worker("prefill", 0), ending(worker("prefill", 1)), *PENDING_DECODE]
    rule = policy("prefill", "decode")

    assert blocked(rule, *wanting(2, 4), *pods) == {"prefill": 0, "decode": 1}
    assert blocked(rule, *wanting(3, 4), *pods) == {"prefill": 1, "decode": 1}


def test_an_instance_that_is_made_anew_is_not_ready_for_the_next_step() -> None:
    pods = [worker("prefill", 0), worker("decode", 0), ending(worker("decode", 1))]
    rule = policy("prefill", "decode", progression="OrderReady")

    assert blocked(rule, *wanting(6, 4), *pods) == {"prefill": 1, "decode": 1}


def test_a_role_that_has_more_than_desired_and_none_to_wait_for_is_not_held_up() -> None:
    pods = [worker("prefill", 0), worker("prefill", 1), worker("decode", 0)]

    assert blocked(policy("prefill", "decode"), *wanting(1, 1), *pods) == {
        "prefill": 0,
        "decode": 0,
    }
