"""The exporter's view of the API server of the tests, at a pace for tests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from pd_exporter.kube.access import KubeAccess
from pd_exporter.kube.api import Timeouts, open_api
from pd_exporter.kube.pace import Pace
from pd_exporter.kube.pod import Pod
from pd_exporter.kube.pods import Pods, open_pods_of_node
from tests.fakes.kube_api import KubeApi
from tests.servers import until

NODE = "node-a"
QUICK = Pace(start=0.0, first_pause=0.005, longest_pause=0.02, settled=0.02)


class Pauses:
    """Pauses that take no time, and are remembered."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)

    async def reach(self, number: int) -> list[float]:
        async def reached() -> bool:
            return len(self.seconds) >= number

        await until(reached, f"{number} pauses")
        return self.seconds[:number]


class Watched:
    """The pods of a node, and what a test asks about them."""

    def __init__(self, pods: Pods, api: KubeApi) -> None:
        self.pods = pods
        self._api = api

    @property
    def uids(self) -> Mapping[str, str] | None:
        """Uids by name."""
        value = self.pods.known().value
        return None if value is None else {name: pod.uid for (_, name), pod in value.items()}

    @property
    def reason(self) -> str | None:
        problem = self.pods.known().problem
        return None if problem is None else problem.reason

    def pod(self, name: str) -> Pod | None:
        return (self.pods.known().value or {}).get(("default", name))

    async def names(self, *names: str) -> None:
        """Wait until these are the pods."""

        async def are() -> bool:
            return sorted(self.uids or ()) == sorted(names)

        await until(are, f"pods {names}, not {self.uids}")

    async def has(self, reason: str | None) -> None:
        """Wait until there is such a problem, or none."""

        async def there() -> bool:
            return self.reason == reason

        await until(there, f"the problem {reason}, not {self.reason}")

    async def asked(self, verb: str, number: int) -> None:
        """Wait until the server was asked that often."""

        async def reached() -> bool:
            return self._api.count(verb) >= number

        await until(reached, f"{number} times {verb}")

    async def watches(self) -> None:
        """Wait until a watch is open and has begun well."""

        async def watching() -> bool:
            return self._api.open_watches == 1

        await until(watching, "a watch")
        await self.has(None)


@contextlib.asynccontextmanager
async def pods_of(
    api: KubeApi, pace: Pace = QUICK, timeouts: Timeouts | None = None, **access: Any
) -> AsyncIterator[Watched]:
    """Watch the pods of the node."""
    way = KubeAccess(**({"server": api.url} | access))
    async with (
        open_api(way, timeouts or Timeouts()) as kube,
        open_pods_of_node(kube, NODE, {"kept"}, pace) as pods,
    ):
        yield Watched(pods, api)
