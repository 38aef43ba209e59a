"""A pod, as far as the exporter needs it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Owner:
    """A controller or other owner of a pod: an entry of its ownerReferences."""

    kind: str
    name: str
    controller: bool = False


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod's metadata.

    Attributes:
        since: When it was first told to be there, as Unix time by this machine's clock; None where
            it was there from the start.
    """

    namespace: str
    name: str
    uid: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    owners: tuple[Owner, ...] = ()
    since: float | None = None
