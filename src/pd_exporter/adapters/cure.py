"""Curing an adapter without a selector: writing it, or having the controller make it anew."""

import asyncio
from collections.abc import Callable

from pd_exporter.adapters.cluster import Cluster
from pd_exporter.adapters.judgement import Finding
from pd_exporter.adapters.objects import ScalingAdapter
from pd_exporter.kube.failure import KubeFailure, Reason
from pd_exporter.kube.objects import delete_object, find_object, patch_status, read_object
from pd_exporter.reading import Problem

TRIES = 3
"""How often an adapter is made anew: in a third of all cases it was again bound too early."""
LOOK_SECONDS = 0.5
"""How often it is looked whether an adapter is back."""
TELL_SECONDS = 5.0
"""How often it is said that it is still waited."""

_PASSING = {Reason.UNREACHABLE, Reason.THROTTLED, Reason.SERVER_ERROR}
"""Failures that may be over while an adapter is waited for."""
_RESTART = (
    "See the log of RoleBasedGroup's controller (kubectl -n rbgs-system logs"
    " deploy/rbgs-controller-manager) and restart it, upon which it makes the adapters that are"
    " missing. The role keeps its replicas meanwhile, but is not scaled."
)

Tell = Callable[[str], None]
"""Tells people what goes on."""


class Cure:
    """Cures the adapters of a cluster, one after the other.

    Args:
        cluster: Where they are.
        wait_seconds: How long an adapter may take to be made anew and bound.
        tell: Is told what is waited for.
    """

    def __init__(self, cluster: Cluster, wait_seconds: float, tell: Tell) -> None:
        self._cluster = cluster
        self._wait_seconds = wait_seconds
        self._tell = tell

    async def __call__(self, finding: Finding) -> ScalingAdapter | Problem:
        """Cure an adapter; gives it as it then is, or what was not achieved.

        Raises:
            KubeFailure: Something could not be read or changed. CONFLICT: nothing was changed.
        """
        if finding.remedy is None:
            raise ValueError(f"{finding.adapter.name} has no remedy")
        if finding.remedy.selector is not None:
            return await self._write(finding.adapter, finding.remedy.selector)
        return await self._make_anew(finding)

    async def _write(self, adapter: ScalingAdapter, selector: str) -> ScalingAdapter | Problem:
        place = self._cluster.place(adapter)
        await patch_status(self._cluster.api, place, adapter.metadata, {"selector": selector})
        written = await read_object(self._cluster.api, place, ScalingAdapter)
        if written.status.selector == selector:
            return written
        return Problem(
            "overwritten",
            "Its selector was written, and is another one now.",
            "See whether something else writes it, and run this again.",
        )

    async def _make_anew(self, finding: Finding) -> ScalingAdapter | Problem:
        before = finding.adapter
        for _ in range(TRIES):
            adapter, place = finding.adapter, self._cluster.place(finding.adapter)
            await delete_object(self._cluster.api, place, adapter.metadata)
            again = await self._bound_again(adapter)
            if again is None:
                waited = f"within {self._wait_seconds:g} s"
                message = f"It was deleted, and is not there and bound again {waited}."
                return Problem("not_back", message, _RESTART)
            if again.has_selector:
                return _unchanged(before, again)
            finding = await self._cluster.look_at(again)
            if finding.remedy is None:
                return Problem("no_remedy", f"It was made anew: {finding.wrong}.", "")
            self._tell(f"{again.name}: was bound too early once more")
        return Problem(
            "too_early",
            f"It was made anew {TRIES} times, and each time bound before there was a selector.",
            "Run this again.",
        )

    async def _bound_again(self, gone: ScalingAdapter) -> ScalingAdapter | None:
        """Wait until an adapter that was deleted is there and bound again; None if it is not."""
        place, uid = self._cluster.place(gone), gone.metadata.uid
        clock = asyncio.get_running_loop().time
        begun = told = clock()
        self._tell(f"{gone.name}: deleted; the controller makes it anew")
        try:
            async with asyncio.timeout(self._wait_seconds):
                while True:
                    try:
                        found = await find_object(self._cluster.api, place, ScalingAdapter)
                    except KubeFailure as failure:
                        if failure.reason not in _PASSING:
                            raise
                        found = None
                    if found and found.metadata.uid != uid and found.bound:
                        return found
                    if clock() - told >= TELL_SECONDS:
                        told = clock()
                        self._tell(f"{gone.name}: not back after {told - begun:.0f} s")
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            return None


def _unchanged(before: ScalingAdapter, after: ScalingAdapter) -> ScalingAdapter | Problem:
    if after.spec.replicas == before.spec.replicas:
        return after
    return Problem(
        "replicas_changed",
        f"It has a selector now, and asks for {after.spec.replicas} replicas where it asked for"
        f" {before.spec.replicas}: its group was changed at the same time.",
        "See that this is meant.",
    )
