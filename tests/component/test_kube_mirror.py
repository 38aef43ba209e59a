"""Whatever happens in the cluster and to the connection, the mirror comes to be the truth."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.kube_api import KubeApi, kube_api
from tests.fakes.kube_objects import Object, pod
from tests.kube import NODE, pods_of
from tests.servers import until

PODS = "/api/v1/pods"
FAULTS = {
    "drop": KubeApi.drop_connections,
    "cut": KubeApi.cut_next_event,
    "end": KubeApi.end_watches,
    "compact": KubeApi.compact,
    "bookmark": KubeApi.bookmark,
    "expire": lambda api: api.send_error(410, "Expired"),
    "fail lists": lambda api: api.fail("list", 500, "InternalError"),
    "fail watches": lambda api: api.fail("watch", 429, "TooManyRequests"),
    "heal": KubeApi.heal,
}
CHANGES = ["create", "create", "delete", "label", "finish"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(CHANGES) | st.sampled_from(sorted(FAULTS)),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([0.0, 0.001, 0.01]),
    ),
    max_size=25,
)


def change(api: KubeApi, what: str, name: str) -> None:
    """Change a pod if that can be done to it now."""
    found = {shown["metadata"]["name"]: shown for shown in api.objects(PODS)}
    if what == "create" and name not in found:
        api.create(pod(name, labels={"role": "none"}))
    elif what == "delete" and name in found:
        api.delete(found[name])
    elif what == "label" and name in found:
        metadata: Object = found[name]["metadata"] | {"labels": {"role": f"v{api.version}"}}
        api.update(found[name] | {"metadata": metadata})
    elif what == "finish" and name in found:
        api.update(found[name] | {"status": {"phase": "Succeeded"}})


def truth(api: KubeApi) -> dict[str, tuple[str, str]]:
    """Uid and role of the pods that have not ended, by name."""
    return {
        shown["metadata"]["name"]: (shown["metadata"]["uid"], shown["metadata"]["labels"]["role"])
        for shown in api.objects(PODS)
        if shown["spec"]["nodeName"] == NODE and shown["status"]["phase"] == "Running"
    }


async def play(steps: list[tuple[str, str, float]], *, gone_as_event: bool) -> None:
    async with kube_api() as api:
        api.gone_as_event = gone_as_event
        async with pods_of(api) as watched:
            for what, name, pause in steps:
                if what in FAULTS:
                    FAULTS[what](api)
                else:
                    change(api, what, name)
                await asyncio.sleep(pause)  # so that steps meet the mirror at every moment
            api.heal()

            async def true() -> bool:
                value = watched.pods.known().value
                shown = {
                    key: (pod.uid, pod.labels["role"]) for (_, key), pod in (value or {}).items()
                }
                return value is not None and shown == truth(api)

            await until(true, f"the mirror to be {truth(api)}")
            await watched.has(None)


@settings(max_examples=60)
@given(steps=STEPS, gone_as_event=st.booleans())
def test_the_mirror_comes_to_be_the_truth(
    steps: list[tuple[str, str, float]], *, gone_as_event: bool
) -> None:
    asyncio.run(play(steps, gone_as_event=gone_as_event))
