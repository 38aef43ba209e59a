"""One scrape of roles: nothing is asked of anyone, since all is watched."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

from pd_exporter.catalogue import roles as role_metrics
from pd_exporter.collectors.roles.pods import Role
from pd_exporter.collectors.roles.readings import group_reading, source_reading
from pd_exporter.collectors.roles.roles import read_roles
from pd_exporter.collectors.roles.sources import NamespaceSources
from pd_exporter.config import EVERYWHERE, RolesConfig, RoleSettings
from pd_exporter.reading import Reading

FIRST_SHARE = 0.5
"""Share of the first scrape's time to wait for sources that have not yet tried to learn."""


class RolesCollector:
    """Tells what is known of roles.

    Args:
        config: The section `roles`.
        aliases: Other names of roles.
        sources: What is watched, by namespace.
    """

    name = "roles"
    metrics = role_metrics.ALL

    def __init__(
        self,
        config: RolesConfig,
        aliases: Mapping[str, str],
        sources: Sequence[NamespaceSources],
    ) -> None:
        self._config = config
        self._aliases = aliases
        self._sources = sources
        self._begun = False

    async def collect(self, deadline: float) -> Sequence[Reading]:
        """Tell all roles; only the first time it is waited, until there is something to tell."""
        await self._first(deadline)
        readings = [group_reading(ratio) for ratio in self._config.ratios]
        for sources in self._sources:
            view = sources.view()
            settings = self._settings(view.namespace)
            readings += read_roles(view, settings, self._aliases)
            for resource, known in view.sources().items():
                readings.append(source_reading(view.namespace, resource, known))
        return readings

    def _settings(self, namespace: str) -> Mapping[Role, RoleSettings]:
        return {
            Role(each.namespace, each.group, self._aliases.get(each.role, each.role)): each
            for each in self._config.settings
            if namespace in {each.namespace, EVERYWHERE}
        }

    async def _first(self, deadline: float) -> None:
        """Give sources that have just begun some time, or the first page would lack values."""
        if self._begun:
            return
        now = asyncio.get_running_loop().time()
        with suppress(TimeoutError):
            async with asyncio.timeout((deadline - now) * FIRST_SHARE):
                await asyncio.gather(*(sources.first() for sources in self._sources))
        self._begun = True
