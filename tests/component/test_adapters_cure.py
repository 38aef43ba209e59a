"""Adapters without a selector are cured, and nothing else changes."""

import itertools
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.adapters import adapters, changes, cluster, end, running, selector_of
from tests.fakes.kube_objects import Object
from tests.fakes.kube_scaling import OLD_ROLE_LABEL, RBG, ROLE_LABEL
from tests.fakes.kube_wire import Asked
from tests.fakes.rbg_controller import ADAPTERS, GROUPS, RbgController
from tests.fakes.rbg_objects import (
    bound,
    group,
    labels_of,
    leader_worker_set,
    old_labels_of,
    role,
    role_instance_set,
    workload,
)
from tests.servers import until

RBAC = Path(__file__).parents[2] / "deploy/components/adapter-cure/rbac.yaml"
PLURAL = "rolebasedgroupscalingadapters"
PATH = f"/apis/{RBG}/v1alpha2/namespaces/default/{PLURAL}/dynamo-pd-prefill"
NEW_SELECTOR = ",".join(f"{key}={value}" for key, value in sorted(labels_of("prefill").items()))
OLD_SELECTOR = f"{OLD_ROLE_LABEL}/name=dynamo-pd,{OLD_ROLE_LABEL}/role=prefill"
ANEW = (group(role("prefill")), bound("prefill"), role_instance_set("prefill"))
FOUND = f"{ROLE_LABEL}/role-name=prefill"


def on_stateful_set(labels: dict[str, str]) -> tuple[Object, ...]:
    named = group(role("prefill", runs_on="apps/v1/StatefulSet"))
    return named, bound("prefill"), workload("prefill", labels)


@pytest.mark.parametrize(
    ("labels", "selector"),
    [(labels_of("prefill"), NEW_SELECTOR), (old_labels_of("prefill"), OLD_SELECTOR)],
)
async def test_on_a_stateful_set_its_own_selector_is_written(
    labels: dict[str, str], selector: str
) -> None:
    async with cluster(*on_stateful_set(labels)) as api:
        before = api.find(ADAPTERS, "default", "dynamo-pd-prefill")
        ended = await adapters("--server", api.url, "--cure")
        after = api.find(ADAPTERS, "default", "dynamo-pd-prefill")
        made = changes(api)
        again = await adapters("--server", api.url, "--cure")

    assert (ended.status, ended.errors) == (0, "")
    assert f"  cured: its selector is {selector}\n" in ended.output
    assert made == [("patch", f"{PATH}/status")]
    assert before is not None
    assert after is not None
    assert after["status"] == before["status"] | {"selector": selector}
    assert after["spec"] == before["spec"]
    assert (again.status, "cured" in again.output) == (0, False)


async def test_a_workload_with_a_long_name_is_found_under_its_short_one() -> None:
    long = "p" * 60
    whole = f"dynamo-pd-{long}"
    made = workload(long, labels_of(long), name=whole[:63])
    objects = (group(role(long, runs_on="apps/v1/StatefulSet")), bound(long), made)
    async with cluster(*objects) as api:
        ended = await adapters("--server", api.url, "--cure")
        selector = selector_of(api, whole)

    assert ended.status == 0
    assert f"role-name={long}" in selector


async def test_on_a_role_instance_set_the_adapter_is_made_anew() -> None:
    async with cluster(*ANEW, bound("decode", selector="role=decode")) as api:
        controller = RbgController(api)
        before = api.find(ADAPTERS, "default", "dynamo-pd-prefill")
        ended = await adapters("--server", api.url, "--cure")
        after = api.find(ADAPTERS, "default", "dynamo-pd-prefill")
        made = changes(api)

    assert ended.status == 0
    assert "dynamo-pd-prefill: deleted; the controller makes it anew" in ended.errors
    assert f"  cured: its selector is {FOUND}\n" in ended.output
    assert made == [("delete", PATH)]
    assert controller.made == 1
    assert before is not None
    assert after is not None
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["spec"] == before["spec"]


async def test_a_selector_of_nothing_but_a_further_condition_counts_as_missing() -> None:
    half = bound("prefill", selector=f",{ROLE_LABEL}/component-index=0")
    async with cluster(group(role("prefill")), half, role_instance_set("prefill")) as api:
        RbgController(api)
        ended = await adapters("--server", api.url, "--cure")
        selector = selector_of(api, "dynamo-pd-prefill")

    assert ended.status == 0
    assert selector == FOUND


async def test_an_adapter_that_is_bound_too_early_again_is_made_anew_again() -> None:
    async with cluster(*ANEW) as api:
        controller = RbgController(api, races=2)
        ended = await adapters("--server", api.url, "--cure")
        selector = selector_of(api, "dynamo-pd-prefill")

    assert ended.status == 0
    assert ended.errors.count("was bound too early once more") == 2
    assert controller.made == 3
    assert selector == FOUND


async def test_after_three_times_it_is_given_up_with_the_adapter_there() -> None:
    async with cluster(*ANEW) as api:
        controller = RbgController(api, races=9)
        ended = await adapters("--server", api.url, "--cure")
        selector = selector_of(api, "dynamo-pd-prefill")

    assert ended.status == 1
    assert "  not cured: It was made anew 3 times" in ended.output
    assert controller.made == 3
    assert selector == ""


async def test_an_adapter_that_does_not_come_back_is_told_with_the_controllers_log() -> None:
    async with cluster(*ANEW) as api:
        RbgController(api, runs=False)
        ended = await adapters("--server", api.url, "--cure", "--wait", "1")
        made = changes(api)

    assert ended.status == 1
    assert "is not there and bound again within 1 s. See the log" in ended.output
    assert made == [("delete", PATH)]


async def test_whoever_interrupts_it_is_told_to_look_again() -> None:
    async with cluster(*ANEW) as api:
        RbgController(api, runs=False)

        async def deleted() -> bool:
            return bool(changes(api))

        async with running("--server", api.url, "--cure") as process:
            await until(deleted, "the adapter to be deleted")
            process.send_signal(signal.SIGINT)
            ended = await end(process)

    assert ended.status == 130
    assert "interrupted: run this again to see what was done" in ended.errors
    assert "Traceback" not in ended.errors


async def test_replicas_that_someone_changed_meanwhile_are_told() -> None:
    async with cluster(*ANEW) as api:
        RbgController(api)
        api.meanwhile = lambda: api.update(
            group(role("prefill", 5)) | {"metadata": api.objects(GROUPS)[0]["metadata"]}
        )
        ended = await adapters("--server", api.url, "--cure")

    assert ended.status == 1
    assert "asks for 5 replicas where it asked for 2" in ended.output


@pytest.mark.parametrize("objects", [ANEW, on_stateful_set(labels_of("prefill"))])
async def test_an_adapter_that_something_else_changes_is_left_as_it_then_is(
    objects: tuple[Object, ...],
) -> None:
    async with cluster(*objects) as api:
        RbgController(api)
        scaled = bound("prefill", 4)
        scaled["metadata"]["uid"] = api.objects(ADAPTERS)[0]["metadata"]["uid"]
        api.meanwhile = lambda: api.update(scaled)
        ended = await adapters("--server", api.url, "--cure")
        after = api.objects(ADAPTERS)

    assert ended.status == 1
    assert "Something else changed it in between, and nothing was done" in ended.output
    assert [shown["spec"]["replicas"] for shown in after] == [4]


async def test_a_right_to_change_that_is_missing_hinders_nothing_else() -> None:
    named = group(role("prefill"), role("decode", runs_on="apps/v1/StatefulSet"))
    objects = (named, bound("prefill"), bound("decode"), role_instance_set("prefill"))
    async with cluster(*objects, workload("decode", labels_of("decode"))) as api:
        RbgController(api)
        api.forbid("patch", plural=PLURAL)
        ended = await adapters("--server", api.url, "--cure")
        selectors = [selector_of(api, f"dynamo-pd-{name}") for name in ("decode", "prefill")]

    assert ended.status == 1
    assert f"not cured: Cannot patch {PLURAL}/status.{RBG}" in ended.output
    assert "docs/rolebasedgroup.md" in ended.output
    assert selectors == ["", FOUND]


async def test_the_rights_of_the_shipped_role_are_what_it_needs_and_no_more() -> None:
    named = group(
        role("a", runs_on="apps/v1/StatefulSet"),
        role("b", runs_on="apps/v1/Deployment"),
        role("c", runs_on="leaderworkerset.x-k8s.io/v1/LeaderWorkerSet"),
        role("d"),
    )
    workloads = (
        workload("a", labels_of("a")),
        workload("b", labels_of("b"), "Deployment"),
        leader_worker_set("c"),
        role_instance_set("d"),
    )
    async with cluster(named, *workloads, *map(bound, "abcd")) as api:
        RbgController(api)
        await adapters("--server", api.url, "--namespace", "default", "--cure")
        asked = {right_of(each) for each in api.requests if each.verb != "discover"}

    assert asked == set(shipped_rights())


def right_of(asked: Asked) -> tuple[str, str, str]:
    """Verb, API group and resource, as RBAC names what was asked."""
    api_group = asked.path.split("/")[2]
    _, _, rest = asked.path.partition("/namespaces/default/")
    plural, *names = rest.split("/")
    return asked.verb, api_group, "/".join([plural, *names[1:]])


def shipped_rights() -> Iterator[tuple[str, str, str]]:
    """What the Role of the component adapter-cure allows."""
    for document in yaml.safe_load_all(RBAC.read_text()):
        for rule in document.get("rules", ()):
            yield from itertools.product(rule["verbs"], rule["apiGroups"], rule["resources"])
