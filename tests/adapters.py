"""`pd-exporter adapters` as people run it, on the API server of the tests."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tests.fakes.kube_api import KubeApi, kube_api
from tests.fakes.kube_objects import Object
from tests.fakes.kube_scaling import RBG
from tests.fakes.rbg_controller import ADAPTERS
from tests.process import COMMAND

_CHANGES = {"patch", "delete"}
_PLURALS = ("rolebasedgroupscalingadapters", "rolebasedgroups", "roleinstancesets")


@dataclass(frozen=True)
class Ended:
    """How the command ended."""

    status: int
    output: str
    errors: str


async def adapters(*arguments: str) -> Ended:
    """Run it to its end."""
    async with running(*arguments) as process:
        return await end(process)


@contextlib.asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run it while entered, as outside of a cluster."""
    outside = {key: text for key, text in os.environ.items() if not key.startswith("KUBERNETES_")}
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        "adapters",
        *arguments,
        env=outside,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def end(process: asyncio.subprocess.Process) -> Ended:
    """Wait for its end, and no longer than a minute."""
    async with asyncio.timeout(60):
        output, errors = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, output.decode(), errors.decode())


def changes(api: KubeApi) -> list[tuple[str, str]]:
    """What it has asked to be changed: verbs and paths."""
    return [(asked.verb, asked.path) for asked in api.requests if asked.verb in _CHANGES]


def selector_of(api: KubeApi, name: str) -> str:
    """The selector of an adapter of the namespace default."""
    found = api.find(ADAPTERS, "default", name)
    assert found is not None
    return str(found["status"]["selector"])


@contextlib.asynccontextmanager
async def cluster(*objects: Object, version: str = "v1alpha2") -> AsyncIterator[KubeApi]:
    """A cluster with RoleBasedGroup in a version, and these objects."""
    async with kube_api() as api:
        api.kinds.install(RBG, version, *_PLURALS)
        api.kinds.install("apps", "v1", "statefulsets", "deployments")
        api.kinds.install("leaderworkerset.x-k8s.io", "v1", "leaderworkersets")
        for made in objects:
            api.create(made)
        yield api
