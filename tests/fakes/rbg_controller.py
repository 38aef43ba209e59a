"""RoleBasedGroup's controller, as far as it makes and binds adapters.

Its ways are those of its source: an adapter that was deleted is made anew, gets the role's replicas
when it is bound, and its selector once, then, from the status of what the role runs on.
"""

import asyncio

from tests.fakes.kube_api import KubeApi
from tests.fakes.kube_objects import Object
from tests.fakes.kube_scaling import RBG
from tests.fakes.kube_wire import Change

ADAPTERS = f"/apis/{RBG}/rolebasedgroupscalingadapters"
GROUPS = f"/apis/{RBG}/rolebasedgroups"
ROLE_INSTANCE_SETS = f"/apis/{RBG}/roleinstancesets"
_SECONDS = 0.05


class RbgController:
    """The controller.

    Attributes:
        runs: Whether it does anything.
        races: How many of the next adapters it binds before it sees a selector.
        made: How many adapters it has made.
    """

    def __init__(self, api: KubeApi, *, races: int = 0, runs: bool = True) -> None:
        self.runs = runs
        self.races = races
        self.made = 0
        self._api = api
        api.controllers.append(self._hear)

    def _hear(self, change: Change) -> None:
        gone = change.before
        if self.runs and change.path == ADAPTERS and change.after is None and gone is not None:
            asyncio.get_running_loop().call_later(_SECONDS, self._make, gone)

    def _make(self, gone: Object) -> None:
        kept = ("name", "namespace", "labels", "ownerReferences")
        metadata = {key: gone["metadata"][key] for key in kept}
        spec = {"scaleTargetRef": gone["spec"]["scaleTargetRef"]}
        made = self._api.create(gone | {"metadata": metadata, "spec": spec, "status": {}})
        self.made += 1
        asyncio.get_running_loop().call_later(_SECONDS, self._bind, made)

    def _bind(self, made: Object) -> None:
        target, namespace = made["spec"]["scaleTargetRef"], made["metadata"]["namespace"]
        group = self._api.find(GROUPS, namespace, target["name"])
        assert group is not None
        role = next(each for each in group["spec"]["roles"] if each["name"] == target["role"])
        name = f"{target['name']}-{target['role']}"
        workload = self._api.find(ROLE_INSTANCE_SETS, namespace, name)
        selector = (workload or {"status": {}})["status"].get("labelSelector", "")
        if self.races:
            self.races -= 1
            selector = ""
        made["spec"]["replicas"] = role["replicas"]
        made["status"] = {"phase": "Bound", "replicas": role["replicas"], "selector": selector}
        self._api.update(made)
