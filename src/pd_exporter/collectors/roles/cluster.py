"""What the roles collector stands on, opened and closed: the Kubernetes API."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from pd_exporter.collectors.roles.collector import RolesCollector
from pd_exporter.collectors.roles.sources import (
    RESOURCES,
    NamespaceSources,
    open_sources,
    unknown_sources,
)
from pd_exporter.config import Config, RolesConfig
from pd_exporter.kube.access import AccessError, configured
from pd_exporter.kube.api import KubeApi, open_api
from pd_exporter.kube.discovery import LOOK_AGAIN_SECONDS, Discovery, open_discovery
from pd_exporter.kube.pace import PACE, Pace

ROLES_PACE = replace(PACE, start=0.0)
"""There are one or two exporters of roles in a cluster, so none has to wait for its turn."""


@asynccontextmanager
async def open_roles(
    config: Config,
    roles: RolesConfig,
    pace: Pace = ROLES_PACE,
    look_again_seconds: float = LOOK_AGAIN_SECONDS,
) -> AsyncIterator[RolesCollector]:
    """Keep the watches that the collector needs while entered.

    Args:
        config: The whole configuration.
        roles: Its section `roles`.
        pace: How often to ask the API server.
        look_again_seconds: How often to ask it what it has.
    """
    async with AsyncExitStack() as stack:
        sources: list[NamespaceSources] = []
        try:
            access = configured(config.kubernetes)
        except AccessError as error:
            sources += [unknown_sources(name, error.problem) for name in roles.namespaces]
        else:
            api = await stack.enter_async_context(open_api(access))
            discoveries = await _discoveries(stack, api, pace, look_again_seconds)
            for name in roles.namespaces:
                opened = open_sources(api, name, config.role_aliases, discoveries, pace)
                sources.append(await stack.enter_async_context(opened))
        yield RolesCollector(roles, config.role_aliases, sources)


async def _discoveries(
    stack: AsyncExitStack, api: KubeApi, pace: Pace, again_seconds: float
) -> Mapping[str, Discovery]:
    """Ask what the server has of each group: all namespaces go by that."""
    groups = dict.fromkeys(resource.group for resource in RESOURCES)
    return {
        group: await stack.enter_async_context(open_discovery(api, group, pace, again_seconds))
        for group in groups
    }
