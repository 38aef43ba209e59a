"""Objects of the Kubernetes API as its server makes, selects and shows them."""

from collections.abc import Callable, Mapping
from typing import Any

Object = dict[str, Any]

_POD_FIELDS = {"spec.nodeName", "spec.serviceAccountName", "status.phase", "status.podIP"}


def pod(
    name: str,
    *,
    node: str = "node-a",
    namespace: str = "default",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    owners: tuple[tuple[str, str], ...] = (),
    uid: str | None = None,
    phase: str = "Running",
    ready: str | None = None,
) -> Object:
    """A pod; its first owner, a pair of kind and name, is its controller.

    It has been Ready since the time that is given for it, or is not.
    """
    metadata: Object = {
        "name": name,
        "namespace": namespace,
        "labels": dict(labels or {}),
        "annotations": dict(annotations or {}),
        "managedFields": [{"manager": "kubelet", "operation": "Update"}],
        "ownerReferences": [
            {
                "apiVersion": "v1",
                "kind": kind,
                "name": owner,
                "uid": f"uid-of-{owner}",
                **({"controller": True} if position == 0 else {}),
            }
            for position, (kind, owner) in enumerate(owners)
        ],
    }
    if uid is not None:
        metadata["uid"] = uid
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"nodeName": node, "containers": [{"name": "main", "image": "engine"}]},
        "status": {"phase": phase, "conditions": [_readiness(ready)]},
    }


def _readiness(since: str | None) -> Object:
    return {
        "type": "Ready",
        "status": "True" if since else "False",
        "lastTransitionTime": since or "2026-01-01T00:00:00Z",
    }


def plural_of(kind: str) -> str:
    """Name of its resource."""
    name = kind.lower()
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


def path_of(shown: Object) -> str:
    """Where the server keeps objects of its kind, of all namespaces, whatever their version."""
    group, _, version = shown["apiVersion"].rpartition("/")
    plural = plural_of(shown["kind"])
    return f"/apis/{group}/{plural}" if group else f"/api/{version}/{plural}"


def unversioned(path: str) -> str:
    """Where the server keeps what is asked for in some version of a group."""
    if not path.startswith("/apis/"):
        return path
    steps = path.split("/")
    return "/".join(steps[:3] + steps[4:])


def partial(shown: Object) -> Object:
    """The object's metadata alone."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": shown["metadata"],
    }


def status(code: int, reason: str, message: str, cause: str = "") -> Object:
    """What the server says of a failed request."""
    causes = {"details": {"causes": [{"reason": cause, "message": message}]}} if cause else {}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
        **causes,
    }


class Selector:
    """What a request's path and query ask for.

    Attributes:
        unknown: The first field that the server cannot select by; empty if it can by all.
    """

    def __init__(self, path: str, query: Mapping[str, str]) -> None:
        before, middle, after = path.partition("/namespaces/")
        self._namespace, _, plural = after.partition("/")
        self._path = unversioned(f"{before}/{plural}" if middle else path)
        self._fields = _terms(query.get("fieldSelector", ""))
        self._labels = _terms(query.get("labelSelector", ""))
        known = {"metadata.name", "metadata.namespace"}
        known |= _POD_FIELDS if self._path.endswith("/pods") else set()
        self.unknown = next((name for name, _, _ in self._fields if name not in known), "")

    def takes(self, path: str, shown: Object) -> bool:
        """Whether an object is among those asked for."""
        if path != self._path:
            return False
        metadata = shown["metadata"]
        if self._namespace and metadata.get("namespace") != self._namespace:
            return False

        def field(name: str) -> str | None:
            found: Any = shown
            for step in name.split("."):
                found = found.get(step, {})
            return found if isinstance(found, str) else ""

        return _meets(self._fields, field) and _meets(self._labels, metadata["labels"].get)


def _terms(selector: str) -> list[tuple[str, str, str]]:
    terms = []
    for term in filter(None, selector.split(",")):
        operator = next((text for text in ("!=", "==", "=") if text in term), "")
        name, _, value = term.partition(operator) if operator else (term, "", "")
        terms.append((name, operator, value))
    return terms


def _meets(terms: list[tuple[str, str, str]], value_of: Callable[[str], str | None]) -> bool:
    for name, operator, wanted in terms:
        value = value_of(name)
        if operator == "!=":
            met = value != wanted
        elif operator:
            met = value == wanted
        else:
            met = value is not None
        if not met:
            return False
    return True
