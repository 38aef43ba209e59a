"""One object of the Kubernetes API: read it, change its status, delete it.

A change says of which resource version it is meant, so that the server refuses it where something
else changed the object in between.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from pd_exporter.kube.api import KubeApi
from pd_exporter.kube.collection import Change, Collection, Question
from pd_exporter.kube.failure import KubeFailure, Reason

MERGE_PATCH = "application/merge-patch+json"

_Form = TypeVar("_Form", bound=BaseModel)


class Owner(BaseModel):
    """An owner reference."""

    api_version: str = Field(alias="apiVersion")
    kind: str
    name: str
    uid: str


class Metadata(BaseModel):
    """What every object has."""

    namespace: str
    name: str
    uid: str
    version: str = Field(alias="resourceVersion")
    owners: tuple[Owner, ...] = Field((), alias="ownerReferences")
    deleted_at: str | None = Field(None, alias="deletionTimestamp")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object is: in a collection of a namespace, under a name."""

    collection: Collection
    name: str

    def asked(self, verb: str, subresource: str = "") -> Question:
        """Give the question about it."""
        collection, suffix = self.collection, f"/{subresource}" if subresource else ""
        plural = f"{collection.plural}{suffix}"
        resource = f"{plural}.{collection.group}" if collection.group else plural
        path = f"{collection.path}/{self.name}{suffix}"
        return Question(verb, path, resource, collection.namespace)


async def read_object(api: KubeApi, place: Place, form: type[_Form]) -> _Form:
    """Read an object.

    Raises:
        KubeFailure: NOT_FOUND where there is none; INVALID_REPLY where it is not of this form.
    """
    return _formed(place.asked("get"), await api.request(place.asked("get")), form)


async def find_object(api: KubeApi, place: Place, form: type[_Form]) -> _Form | None:
    """Read an object; None where there is none.

    Raises:
        KubeFailure: As `read_object`.
    """
    try:
        return await read_object(api, place, form)
    except KubeFailure as failure:
        if failure.reason is Reason.NOT_FOUND:
            return None
        raise


async def patch_status(
    api: KubeApi, place: Place, seen: Metadata, status: Mapping[str, Any]
) -> None:
    """Change these fields of an object's status, if it still is as it was seen.

    Raises:
        KubeFailure: CONFLICT where it is not.
    """
    patch = {"metadata": {"uid": seen.uid, "resourceVersion": seen.version}, "status": status}
    change = Change("PATCH", json.dumps(patch).encode(), MERGE_PATCH)
    await api.request(place.asked("patch", "status"), change)


async def delete_object(api: KubeApi, place: Place, seen: Metadata) -> None:
    """Delete an object, if it still is as it was seen.

    Raises:
        KubeFailure: CONFLICT where it is not, NOT_FOUND where it is gone.
    """
    options = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": seen.uid, "resourceVersion": seen.version},
    }
    await api.request(place.asked("delete"), Change("DELETE", json.dumps(options).encode()))


def _formed(asked: Question, body: bytes, form: type[_Form]) -> _Form:
    try:
        return form.model_validate_json(body)
    except ValidationError:
        # Neither the error's words nor its cause: they hold the object.
        message = f"Cannot {asked.verb} {asked.resource} at {asked.path}: the answer is none."
        raise KubeFailure(
            Reason.INVALID_REPLY, message, asked.resource, namespace=asked.namespace
        ) from None
