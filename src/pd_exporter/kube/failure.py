"""Why the Kubernetes API gave no answer to be used, told apart, each with its cure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ValidationError

from pd_exporter.reading import Problem

_TOO_LARGE = "ResourceVersionTooLarge"


class Reason(StrEnum):
    """Kinds of failure; the values are label values."""

    UNREACHABLE = "unreachable"
    """No connection, no answer in time, or watches that end as soon as they begin."""
    TLS = "tls"
    UNAUTHORIZED = "unauthorized"
    """No token, or one that the server does not take."""
    FORBIDDEN = "forbidden"
    """The server knows who asks, and RBAC denies it."""
    NOT_FOUND = "not_found"
    """The server has no such resource: its CRD is not installed, or not in this version."""
    CONFLICT = "conflict"
    """What was to be changed is not, or no longer, as it was thought to be; nothing was changed."""
    GONE = "gone"
    """The server has no state of the version asked for: it is too old, or from its future."""
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    INVALID_REPLY = "invalid_reply"
    FAILED = "failed"
    """A fault of the exporter."""


_REASONS = {
    401: Reason.UNAUTHORIZED,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    409: Reason.CONFLICT,
    410: Reason.GONE,
    429: Reason.THROTTLED,
}
_CURES = {
    Reason.UNREACHABLE: "Check the server's address, that DNS and network policies let this pod"
    " reach it, and that the API server runs.",
    Reason.TLS: "Give the CA file that signed the API server's certificate, and see that the"
    " certificate names the server's address and has not expired.",
    Reason.UNAUTHORIZED: "Give a token file with a valid token of the service account; in a pod,"
    " automountServiceAccountToken must not be false.",
    Reason.FORBIDDEN: "Bind a {role} that may list and watch {resource} (docs/gpu.md,"
    " docs/roles.md), and check with kubectl auth can-i watch {resource} {scope}"
    " --as=system:serviceaccount:NAMESPACE:NAME, and list.",
    Reason.NOT_FOUND: "See with kubectl api-resources whether the cluster has {resource} in this"
    " version, and install what brings it.",
    Reason.CONFLICT: "Something else changed it in between: look at it again, and try again.",
    Reason.GONE: "It is listed anew; if it lasts, look at the load of the API server and of etcd.",
    Reason.THROTTLED: "It is asked again later; if it lasts, look at the API server's priority"
    " and fairness.",
    Reason.SERVER_ERROR: "Look the message up in the API server's log.",
    Reason.INVALID_REPLY: "See whether the address is that of a Kubernetes API server, with no"
    " proxy between that changes its answers.",
    Reason.FAILED: "This is a fault of the exporter: report it with the log of this moment.",
}


class KubeFailure(Exception):  # noqa: N818  it is an answer, not a fault of the program
    """A question to the Kubernetes API without an answer to be used.

    Attributes:
        reason: Which kind of failure.
        message: What happened and where, in sentences without secrets.
        resource: What was asked for, as kubectl names it: `pods`, `deployments.apps`.
        namespace: In which namespace; empty for the whole cluster.
        retry_after: Seconds for which the server asked to be left alone.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        resource: str,
        retry_after: float = 0.0,
        namespace: str = "",
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.resource = resource
        self.namespace = namespace
        self.retry_after = retry_after

    @property
    def problem(self) -> Problem:
        """The failure for people, with its cure."""
        cure = _CURES[self.reason].format(
            resource=self.resource,
            role="Role or ClusterRole" if self.namespace else "ClusterRole",
            scope=f"-n {self.namespace}" if self.namespace else "-A",
        )
        return Problem(self.reason.value, self.message, cure)


class _Cause(BaseModel):
    reason: str = ""


class _Details(BaseModel):
    causes: tuple[_Cause, ...] | None = None


class Status(BaseModel):
    """The API's own report of a failure: `meta/v1.Status`."""

    code: int = 0
    message: str = ""
    details: _Details | None = None

    @property
    def failure_reason(self) -> Reason:
        """What kind of failure it tells."""
        causes = (self.details.causes if self.details else None) or ()
        if any(cause.reason == _TOO_LARGE for cause in causes):
            return Reason.GONE
        return _REASONS.get(self.code, Reason.SERVER_ERROR)


def status_of(shown: Mapping[str, Any] | bytes, code: int = 0) -> Status:
    """Read a Status, of a watch's error or of a failed request with its HTTP status as `code`.

    Where it is none, as when a proxy answers, only the code is known.
    """
    try:
        if isinstance(shown, bytes):
            status = Status.model_validate_json(shown)
        else:
            status = Status.model_validate(shown)
    except ValidationError:
        status = Status()
    return status.model_copy(update={"code": code or status.code})
