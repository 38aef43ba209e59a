"""Which kinds the API server of the tests has, and what it says of that."""

from aiohttp import web

from tests.fakes.kube_wire import Fault, failed

HPAS = ("autoscaling", "v2", "horizontalpodautoscalers")


class Kinds:
    """The groups beside the core group, with their versions; at first autoscaling alone."""

    def __init__(self) -> None:
        self._plurals: dict[str, dict[str, set[str]]] = {}
        self.install(*HPAS)

    def install(self, group: str, version: str, *plurals: str) -> None:
        """Serve resources in a version; further versions show the same objects."""
        self._plurals.setdefault(group, {}).setdefault(version, set()).update(plurals)

    def remove(self, group: str, version: str) -> None:
        del self._plurals[group][version]
        if not self._plurals[group]:
            del self._plurals[group]

    def is_discovery(self, path: str) -> bool:
        """Whether a path is that of a group, or of a version of it."""
        return path.startswith("/apis/") and len(path.split("/")) in {3, 4}

    def has(self, path: str) -> bool:
        """Whether there is such a resource."""
        if not path.startswith("/apis/"):
            return True
        _, _, group, version, *_, plural = path.split("/")
        return plural in self._plurals.get(group, {}).get(version, ())

    def answer(self, path: str) -> web.Response:
        """Answer to the question what there is."""
        _, _, group, *version = path.split("/")
        versions = self._plurals.get(group, {})
        if not versions or any(each not in versions for each in version):
            return failed(Fault(404, "NotFound", "the server could not find the resource"))
        if not version:
            told = [{"groupVersion": f"{group}/{each}", "version": each} for each in versions]
            return web.json_response(
                {"kind": "APIGroup", "name": group, "versions": told, "preferredVersion": told[0]}
            )
        resources = [
            {"name": name, "namespaced": True, "verbs": ["get", "list", "watch"]}
            for plural in sorted(versions[version[0]])
            for name in (plural, f"{plural}/status")
        ]
        return web.json_response(
            {
                "kind": "APIResourceList",
                "groupVersion": f"{group}/{version[0]}",
                "resources": resources,
            }
        )
