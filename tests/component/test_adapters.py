"""Adapters that no HPA can scale: how the command finds them, and what it leaves alone."""

from pathlib import Path

import pytest

from tests.adapters import adapters, changes, cluster, selector_of
from tests.fakes.kube_objects import Object
from tests.fakes.kube_scaling import RBG, rbg_adapter
from tests.fakes.rbg_controller import RbgController
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
from tests.servers import free_port

STATEFUL_SET = "apps/v1/StatefulSet"
LEADER_WORKER_SET = "leaderworkerset.x-k8s.io/v1/LeaderWorkerSet"
WELL = "role=prefill"


async def test_healthy_adapters_are_listed_and_left_alone() -> None:
    named = group(role("prefill"), role("decode", 1, runs_on=STATEFUL_SET))
    objects = (named, bound("prefill", selector=WELL), bound("decode", 1, selector=WELL))
    async with cluster(*objects) as api:
        ended = await adapters("--server", api.url, "--cure")
        asked = {request.verb for request in api.requests}

    assert (ended.status, ended.errors) == (0, "")
    assert [" ".join(line.split()) for line in ended.output.splitlines()[1:]] == [
        "default dynamo-pd-decode dynamo-pd decode Bound 1 yes StatefulSet",
        "default dynamo-pd-prefill dynamo-pd prefill Bound 2 yes RoleInstanceSet",
    ]
    assert asked == {"discover", "list", "get"}


async def test_a_cluster_without_adapters_is_well() -> None:
    async with cluster() as api:
        ended = await adapters("--server", api.url)

    assert (ended.status, ended.output) == (0, "No RoleBasedGroupScalingAdapters.\n")


async def test_without_being_told_to_nothing_is_changed_and_the_commands_are_printed() -> None:
    objects = (
        group(role("prefill", runs_on=STATEFUL_SET), role("decode")),
        bound("prefill"),
        bound("decode"),
        workload("prefill", old_labels_of("prefill")),
        role_instance_set("decode"),
    )
    async with cluster(*objects) as api:
        ended = await adapters("--server", api.url)
        made = changes(api)

    assert ended.status == 1
    assert ended.output.count("MISSING") == 2
    assert "  --cure does: kubectl -n default delete rbgsa dynamo-pd-decode\n" in ended.output
    patch = (
        '{"status":{"selector":"rolebasedgroup.workloads.x-k8s.io/name=dynamo-pd,'
        'rolebasedgroup.workloads.x-k8s.io/role=prefill"}}'
    )
    assert f"prefill --subresource=status --type=merge -p '{patch}'\n" in ended.output
    assert made == []


async def test_only_the_namespace_that_is_named_is_looked_at() -> None:
    elsewhere = bound("prefill", namespace="other")
    async with cluster(group(role("prefill")), bound("prefill", selector=WELL), elsewhere) as api:
        api.forbid("list", plural="rolebasedgroupscalingadapters", namespace="other")
        ended = await adapters("--server", api.url, "-n", "default")

    assert ended.status == 0
    assert "other" not in ended.output


async def test_a_cluster_with_the_old_version_alone_is_read_in_it() -> None:
    objects = (
        group(role("prefill"), role("decode", workload=_OLD_DEPLOYMENT), version="v1alpha1"),
        bound("prefill", version="v1alpha1"),
        bound("decode", version="v1alpha1"),
        workload("prefill", old_labels_of("prefill")),
        workload("decode", old_labels_of("decode"), "Deployment"),
    )
    async with cluster(*objects, version="v1alpha1") as api:
        ended = await adapters("--server", api.url, "--cure")
        selectors = [selector_of(api, f"dynamo-pd-{name}") for name in ("prefill", "decode")]

    assert ended.status == 0
    assert "Deployment" in ended.output
    assert "StatefulSet" in ended.output
    prefix = "rolebasedgroup.workloads.x-k8s.io"
    assert selectors == [
        f"{prefix}/name=dynamo-pd,{prefix}/role={name}" for name in ("prefill", "decode")
    ]


_OLD_DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment"}
_OTHER_LABELS = labels_of("decode")
_ON_STATEFUL_SET = group(role("prefill", runs_on=STATEFUL_SET))


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        ([group(), rbg_adapter("prefill", selector="")], "was not made by a RoleBasedGroup"),
        ([group(role("prefill")), bound("prefill", phase="NotBound")], "it is not bound"),
        (
            [group(role("prefill")), bound("prefill", None, selector=WELL)],
            "spec.replicas is not set",
        ),
        ([group(role("prefill")), bound("prefill", None)], "spec.replicas is not set"),
        ([bound("prefill")], "the group that made it is gone"),
        ([group(role("decode")), bound("prefill")], "its group has no role prefill"),
        ([_ON_STATEFUL_SET, bound("prefill")], "StatefulSet dynamo-pd-prefill is not found"),
        (
            [_ON_STATEFUL_SET, bound("prefill"), workload("prefill", _OTHER_LABELS)],
            "does not name both group and role",
        ),
        (
            [_ON_STATEFUL_SET, bound("prefill"), workload("prefill", {})],
            "does not name both group and role",
        ),
        (
            [
                group(role("prefill", runs_on=LEADER_WORKER_SET)),
                bound("prefill"),
                leader_worker_set("prefill"),
            ],
            "status.hpaPodSelector, which is leaderworkerset.sigs.k8s.io/name=x",
        ),
        (
            [group(role("prefill", runs_on=f"{RBG}/v1alpha1/InstanceSet")), bound("prefill")],
            "does not notice that an adapter was deleted",
        ),
        (
            [group(role("prefill", runs_on="batch/v1/Job")), bound("prefill")],
            "its role runs on batch/v1/Job, which is not known here",
        ),
        (
            [group(role("prefill")), bound("prefill"), role_instance_set("prefill", "")],
            "has no status.labelSelector yet",
        ),
        (
            [group(role("prefill", 3)), bound("prefill", 2), role_instance_set("prefill")],
            "it asks for 2 replicas and its group for 3",
        ),
        (
            [group(role("prefill", None)), bound("prefill", 2), role_instance_set("prefill")],
            "and its group for none",
        ),
        (
            [
                group(role("prefill", adapter=False)),
                bound("prefill"),
                role_instance_set("prefill"),
            ],
            "scalingAdapter.enable not set",
        ),
    ],
)
async def test_what_cannot_be_cured_is_left_alone_and_it_is_said_why(
    objects: list[Object], why: str
) -> None:
    async with cluster(*objects) as api:
        RbgController(api)
        ended = await adapters("--server", api.url, "--cure")
        made = changes(api)

    assert ended.status == 1
    assert why in ended.output
    assert made == []


async def test_a_cluster_without_role_based_groups_is_told_so() -> None:
    async with cluster() as api:
        api.remove(RBG, "v1alpha2")
        ended = await adapters("--server", api.url)

    assert ended.status == 1
    assert "has no rolebasedgroupscalingadapters.workloads.x-k8s.io. Install" in ended.errors


async def test_versions_that_are_not_known_are_not_taken_for_none() -> None:
    async with cluster(version="v2") as api:
        ended = await adapters("--server", api.url)

    assert ended.status == 1
    assert "as v2, of which none can be read here" in ended.errors


@pytest.mark.parametrize(
    ("verb", "plural"), [("list", "rolebasedgroupscalingadapters"), ("get", "rolebasedgroups")]
)
async def test_a_right_that_is_missing_is_named(verb: str, plural: str) -> None:
    async with cluster(group(role("prefill")), bound("prefill")) as api:
        api.forbid(verb, plural=plural)
        ended = await adapters("--server", api.url)

    assert ended.status == 1
    assert f"Cannot {verb} {plural}.{RBG} at " in ended.errors
    assert "docs/rolebasedgroup.md" in ended.errors


async def test_a_server_that_is_not_there_is_told_with_its_address() -> None:
    server = f"http://127.0.0.1:{free_port()}"
    ended = await adapters("--server", server)

    assert ended.status == 1
    assert server in ended.errors
    assert "kubectl proxy" in ended.errors


async def test_outside_a_cluster_it_is_said_what_to_give() -> None:
    ended = await adapters()

    assert ended.status == 1
    assert "run kubectl proxy and give --server http://127.0.0.1:8001" in ended.errors


async def test_what_is_no_address_is_refused_before_anything_is_asked() -> None:
    ended = await adapters("--server", "127.0.0.1:8001")

    assert ended.status == 2
    assert "URL is wanted" in ended.errors


async def test_the_token_of_a_file_is_sent(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("sesame\n")
    async with cluster(group(role("prefill")), bound("prefill", selector=WELL)) as api:
        api.token = "sesame"
        ended = await adapters("--server", api.url, "--token-file", str(token))
        refused = await adapters("--server", api.url)

    assert (ended.status, refused.status) == (0, 1)
    assert "Unauthorized" in refused.errors
