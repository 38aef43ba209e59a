"""Objects of the Kubernetes API: which are asked for, and how the API tells them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

JSON = "application/json"
"""What is accepted as an answer."""

_METADATA = "application/json;as={kind};g=meta.k8s.io;v=v1,application/json"


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the API server, as far as its failure is told: in words, and where."""

    verb: str
    path: str
    resource: str
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What is sent to the API server to change an object."""

    method: str
    body: bytes
    content_type: str = JSON


@dataclass(frozen=True, slots=True)
class Collection:
    """Objects of one resource that are asked for.

    Attributes:
        version: Version of the API group: `v1`, `v1alpha1`.
        plural: The resource's name in URLs: `pods`.
        group: API group: `apps`; empty for the core group.
        namespace: Only of this namespace; empty for the whole cluster.
        field_selector: Only objects with these fields: `spec.nodeName=a`.
        label_selector: Only objects with these labels: `app=a,tier!=b`.
        metadata_only: Objects come with their metadata and nothing else, where the server can.
        page_size: A list is asked for in pages of so many objects, which spares this process's
            memory; 0 asks for it at once and out of the server's cache, which spares the server.
    """

    version: str
    plural: str
    group: str = ""
    namespace: str = ""
    field_selector: str = ""
    label_selector: str = ""
    metadata_only: bool = False
    page_size: int = 0

    @property
    def resource(self) -> str:
        """Its name as kubectl takes it: `pods`, `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def path(self) -> str:
        """Where it is on the server."""
        api = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{self.namespace}" if self.namespace else ""
        return f"{api}{scope}/{self.plural}"

    @property
    def selectors(self) -> dict[str, str]:
        """Its selectors as URL parameters."""
        selectors = {"fieldSelector": self.field_selector, "labelSelector": self.label_selector}
        return {name: value for name, value in selectors.items() if value}

    def accept(self, suffix: str = "") -> str:
        """What is accepted as an answer: where that is enough, metadata alone."""
        if not self.metadata_only:
            return JSON
        return _METADATA.format(kind=f"PartialObjectMetadata{suffix}")

    def asked(self, verb: str) -> Question:
        """Give the question for it."""
        return Question(verb, self.path, self.resource, self.namespace)


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects, or a page of them.

    Attributes:
        objects: The objects.
        version: The resource version of the whole at which they were so.
        rest: What to ask for the next page with; empty where this is the last.
    """

    objects: Sequence[Mapping[str, Any]]
    version: str
    rest: str = ""


class Event(BaseModel):
    """One line of a watch.

    Attributes:
        type: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.
        object: The object; of a bookmark only its version counts, an error's is a Status.
    """

    type: str
    object: dict[str, Any]

    @property
    def uid(self) -> str:
        """The object's uid; empty where it has none."""
        return self._metadata("uid")

    @property
    def version(self) -> str:
        """The resource version that the event leads to; empty where it has none."""
        return self._metadata("resourceVersion")

    def _metadata(self, name: str) -> str:
        metadata = self.object.get("metadata")
        value = metadata.get(name) if isinstance(metadata, dict) else None
        return value if isinstance(value, str) else ""


class _ListMeta(BaseModel):
    resourceVersion: str  # noqa: N815  the API's name
    rest: str | None = Field(None, alias="continue")


class _List(BaseModel):
    metadata: _ListMeta
    items: tuple[dict[str, Any], ...] | None = None


def listing_of(body: bytes) -> Listing:
    """Read the answer to a list.

    Raises:
        pydantic.ValidationError: It is no list.
    """
    listed = _List.model_validate_json(body)
    return Listing(listed.items or (), listed.metadata.resourceVersion, listed.metadata.rest or "")
