"""A cluster for tests of roles: the exporter's roles collector on the API server of the tests."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from pd_exporter.collectors.roles import open_roles
from pd_exporter.config import Config
from pd_exporter.reading import Problem
from pd_exporter.scrape import Scraper, Snapshot
from tests.exposition import Page
from tests.fakes.kube_api import KubeApi, kube_api
from tests.fakes.kube_scaling import (
    DGD,
    KEDA,
    RBG,
    hpa,
    rbg_adapter,
    scaled_object,
    worker,
)
from tests.kube import QUICK
from tests.servers import until

LOOK_AGAIN_SECONDS = 0.05
BUDGET = 9.5
ROLE = {"namespace": "default", "group": "dynamo-pd", "role": "prefill"}
SOURCE_UP = "pd_roles_source_up"
ADAPTERS = f"rolebasedgroupscalingadapters.{RBG}"


def install_all(api: KubeApi) -> None:
    """Everything that can scale a role, in all its versions."""
    adapters, policies, groups = (
        "rolebasedgroupscalingadapters",
        "coordinatedpolicies",
        "rolebasedgroups",
    )
    api.kinds.install(RBG, "v1alpha1", adapters, groups)
    api.kinds.install(RBG, "v1alpha2", adapters, groups, policies)
    api.kinds.install(DGD, "v1alpha1", "dynamographdeploymentscalingadapters")
    api.kinds.install(DGD, "v1beta1", "dynamographdeploymentscalingadapters")
    api.kinds.install(KEDA, "v1alpha1", "scaledobjects")


def bare(api: KubeApi) -> None:
    """A cluster with a role's pod and adapter, and nothing that knows the adapter's kind."""
    api.create(worker("prefill", 0))
    api.create(rbg_adapter("prefill", 3))


def whole(api: KubeApi) -> None:
    """A cluster with all that a role may have."""
    install_all(api)
    bare(api)
    adapter = rbg_adapter("prefill", 3)
    api.create(hpa(adapter, conditions={"ScalingActive": "True"}))
    api.create(scaled_object(adapter, conditions={"Ready": "True"}))


class RolesCluster:
    """The API server of a cluster, and the exporter on it."""

    def __init__(self, api: KubeApi, scraper: Scraper) -> None:
        self.api = api
        self.scraper = scraper

    async def snapshot(self) -> Snapshot:
        return await self.scraper.scrape(BUDGET)

    async def page(self) -> Page:
        return Page(await self.snapshot())

    async def shows(self, name: str, value: float | None, **labels: str) -> Page:
        """Scrape until the page shows that value, or the absence of one."""

        async def shown() -> Page | None:
            page = await self.page()
            return page if page.get(name, **labels) == value else None

        return await until(shown, f"{name}{labels} to be {value}")

    async def all_up(self, *, up: bool = True) -> Page:
        """Scrape until all that is watched is up to date, or is not."""

        async def so() -> Page | None:
            page = await self.page()
            values = [each.value for each in page.samples if each.name == SOURCE_UP]
            return page if set(values) == {float(up)} else None

        return await until(so, f"all sources to be {up}")

    async def down_are(self, *resources: str, namespace: str = "default") -> Page:
        """Scrape until these, of that namespace, are all that is not up to date."""
        wanted = {(namespace, resource) for resource in resources}

        async def so() -> Page | None:
            page = await self.page()
            down = {
                (each.labels["source_namespace"], each.labels["resource"])
                for each in page.samples
                if each.name == SOURCE_UP and not each.value
            }
            return page if down == wanted else None

        return await until(so, f"{wanted} to be what is down")

    async def problems(self) -> dict[str, Problem]:
        """What is wrong now, by subject."""
        (outcome,) = (await self.snapshot()).outcomes
        assert outcome.problem is None, outcome.problem
        return {each.subject: each.problem for each in outcome.readings if each.problem}


@contextlib.asynccontextmanager
async def roles_cluster(
    prepare: Callable[[KubeApi], None] = install_all,
    namespaces: Sequence[str] = ("default",),
    **roles: Any,
) -> AsyncIterator[RolesCluster]:
    """A cluster whose exporter runs; what `prepare` does to it was so before it started."""
    async with kube_api() as api:
        prepare(api)
        document = {
            "roles": {"namespaces": list(namespaces), **roles},
            "kubernetes": {"server": api.url},
        }
        config = Config.model_validate(document)
        assert config.roles is not None
        async with open_roles(config, config.roles, QUICK, LOOK_AGAIN_SECONDS) as collector:
            yield RolesCluster(api, Scraper([collector]))


def names(page: Page, name: str, label: str) -> list[str]:
    """Values of a label among the samples of a name, in order."""
    return sorted(sample.labels[label] for sample in page.samples if sample.name == name)
