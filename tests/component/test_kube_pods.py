"""The pods of a node, from a real HTTP server that does what a Kubernetes API server does."""

import time
from collections.abc import AsyncIterator

import pytest

from pd_exporter.kube.pod import Owner
from tests.fakes.kube_api import KubeApi, kube_api
from tests.fakes.kube_objects import pod
from tests.kube import NODE, Watched, pods_of

MINE = f"spec.nodeName={NODE},status.phase!=Succeeded,status.phase!=Failed"
METADATA = "application/json;as={};g=meta.k8s.io;v=v1,application/json"


@pytest.fixture
async def api() -> AsyncIterator[KubeApi]:
    async with kube_api() as running:
        yield running


@pytest.fixture
async def watched(api: KubeApi) -> AsyncIterator[Watched]:
    api.create(pod("a", node=NODE))
    async with pods_of(api) as watched:
        await watched.pods.first()
        await watched.watches()
        yield watched


async def test_the_nodes_running_pods_are_known_after_the_first_list(api: KubeApi) -> None:
    api.create(
        pod(
            "a",
            labels={"role": "prefill"},
            annotations={"kept": "yes", "long": "x" * 1000},
            owners=(("StatefulSet", "engine"),),
        )
    )
    api.create(pod("elsewhere", node="node-b"))
    api.create(pod("done", phase="Succeeded"))
    api.create(pod("crashed", phase="Failed"))
    api.create(pod("starting", phase="Pending"))

    async with pods_of(api) as watched:
        await watched.pods.first()
        known = watched.pods.known()

        assert sorted(known.value or {}) == [("default", "a"), ("default", "starting")]
        assert known.at is not None
        assert known.problem is None
        shown = watched.pod("a")
        assert shown is not None
        assert shown.labels == {"role": "prefill"}
        assert shown.annotations == {"kept": "yes"}
        assert shown.owners == (Owner("StatefulSet", "engine", controller=True),)


async def test_pods_come_change_and_go(api: KubeApi, watched: Watched) -> None:
    made = api.create(pod("b"))
    api.create(pod("elsewhere", node="node-b"))
    await watched.names("a", "b")

    made["metadata"]["labels"]["role"] = "decode"
    api.update(made)
    api.create(pod("c"))
    await watched.names("a", "b", "c")
    changed = watched.pod("b")
    assert changed is not None
    assert changed.labels == {"role": "decode"}

    api.delete(made)
    await watched.names("a", "c")
    assert api.count("list") == 1


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
async def test_a_pod_that_ends_is_gone_though_it_is_not_deleted(
    api: KubeApi, watched: Watched, phase: str
) -> None:
    job = api.create(pod("job"))
    await watched.names("a", "job")

    api.update(job | {"status": {"phase": phase}})

    await watched.names("a")


async def test_a_pod_is_there_once_it_is_scheduled_to_the_node(
    api: KubeApi, watched: Watched
) -> None:
    waiting = api.create(pod("late", node=""))
    waiting["spec"]["nodeName"] = NODE

    api.update(waiting)

    await watched.names("a", "late")


async def test_little_is_asked_for(api: KubeApi, watched: Watched) -> None:
    listed, watching = api.requests

    assert listed.path == watching.path == "/api/v1/pods"
    assert listed.query == {"fieldSelector": MINE, "resourceVersion": "0"}
    assert listed.headers["Accept"] == METADATA.format("PartialObjectMetadataList")
    assert 300 <= int(watching.query["timeoutSeconds"]) <= 600
    assert watching.query["resourceVersion"] == str(api.version)
    assert watching.query["allowWatchBookmarks"] == "true"
    assert watching.query["fieldSelector"] == MINE
    assert watching.headers["Accept"] == METADATA.format("PartialObjectMetadata")


async def test_a_server_without_metadata_only_answers_does_too(api: KubeApi) -> None:
    api.partial = False
    api.create(pod("a"))

    async with pods_of(api) as watched:
        await watched.names("a")
        await watched.watches()
        api.create(pod("b"))
        await watched.names("a", "b")


async def test_a_name_used_again_is_the_new_pods(api: KubeApi, watched: Watched) -> None:
    old = api.create(pod("engine-0", uid="old"))
    await watched.names("a", "engine-0")

    api.delete(old)
    api.create(pod("engine-0", uid="new"))
    api.create(pod("last"))
    await watched.names("a", "engine-0", "last")

    assert (watched.uids or {})["engine-0"] == "new"


async def test_the_late_end_of_an_old_pod_does_not_end_the_new_one(
    api: KubeApi, watched: Watched
) -> None:
    api.create(pod("engine-0", uid="old"))
    await watched.names("a", "engine-0")

    # As etcd never tells it, but a cache or proxy between may.
    api.send_raw(event("ADDED", "engine-0", "new", api.version + 1))
    api.send_raw(event("MODIFIED", "engine-0", "old", api.version + 2))
    api.send_raw(event("ADDED", "b", "b", api.version + 3))
    await watched.names("a", "engine-0", "b")
    assert (watched.uids or {})["engine-0"] == "new"
    api.send_raw(event("DELETED", "engine-0", "old", api.version + 4))
    api.send_raw(event("DELETED", "b", "b", api.version + 5))
    await watched.names("a", "engine-0")

    assert (watched.uids or {})["engine-0"] == "new"


def event(kind: str, name: str, uid: str, version: int) -> bytes:
    metadata = f'"namespace":"default","name":"{name}","uid":"{uid}","resourceVersion":"{version}"'
    return f'{{"type":"{kind}","object":{{"metadata":{{{metadata}}}}}}}\n'.encode()


async def test_what_was_given_out_does_not_change(api: KubeApi, watched: Watched) -> None:
    before = watched.pods.known().value
    api.create(pod("b"))
    await watched.names("a", "b")

    assert sorted(before or {}) == [("default", "a")]


async def test_a_node_without_pods_is_known_to_have_none(api: KubeApi) -> None:
    async with pods_of(api) as watched:
        await watched.pods.first()

        assert watched.pods.known().value == {}


async def test_since_when_a_pod_is_there_is_known_unless_it_was_from_the_start(
    api: KubeApi, watched: Watched
) -> None:
    before = time.time()
    made = api.create(pod("b"))
    await watched.names("a", "b")
    first = since(watched, "b")
    assert since(watched, "a") is None
    assert first is not None
    assert first >= before

    made["metadata"]["labels"]["role"] = "decode"
    api.update(made)
    api.create(pod("c"))
    await watched.names("a", "b", "c")
    assert since(watched, "b") == first

    api.drop_connections()  # and the list that follows tells of one more
    api.create(pod("d"))
    api.compact()
    await watched.names("a", "b", "c", "d")
    assert api.count("list") == 2
    assert since(watched, "a") is None
    assert since(watched, "b") == first
    assert (since(watched, "d") or 0) >= (since(watched, "c") or 0) >= first

    api.delete(made)
    await watched.names("a", "c", "d")
    api.create(pod("b"))
    await watched.names("a", "b", "c", "d")
    assert (since(watched, "b") or 0) > first


def since(watched: Watched, name: str) -> float | None:
    shown = watched.pod(name)
    assert shown is not None
    return shown.since
