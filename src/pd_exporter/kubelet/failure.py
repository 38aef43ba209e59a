"""Why the kubelet gave no answer to be trusted, told apart, each with its cure."""

from enum import StrEnum

from pd_exporter.reading import Problem


class Reason(StrEnum):
    """Why the kubelet told nothing; the values are label values."""

    SOCKET_MISSING = "socket_missing"
    NOT_A_SOCKET = "not_a_socket"
    PERMISSION_DENIED = "permission_denied"
    DISCONNECTED = "disconnected"
    """Nothing listens on the socket, or the connection was lost."""
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    UNIMPLEMENTED = "unimplemented"
    NOT_GRPC = "not_grpc"
    """What listens on the socket does not speak HTTP/2."""
    TOO_LARGE = "too_large"
    INVALID_REPLY = "invalid_reply"
    SERVER_ERROR = "server_error"


_CURES = {
    Reason.SOCKET_MISSING: "Mount the host's directory /var/lib/kubelet/pod-resources, and correct"
    " the socket's path in the configuration if it is mounted elsewhere; while the kubelet starts,"
    " wait.",
    Reason.NOT_A_SOCKET: "Mount the host's directory /var/lib/kubelet/pod-resources as a whole and"
    " configure the path of the socket in it, kubelet.sock.",
    Reason.PERMISSION_DENIED: "Run the container as user 0; where SELinux denies it, update the"
    " node's container-selinux or run the container as spc_t.",
    Reason.DISCONNECTED: "If the kubelet is being restarted, wait; if it runs, mount the directory"
    " /var/lib/kubelet/pod-resources and not the socket: every start makes a new one.",
    Reason.TIMEOUT: "See whether the node is overloaded or the kubelet hangs.",
    Reason.RATE_LIMITED: "See which agents of this node ask the kubelet so often: it answers 100"
    " requests a second for all of them together.",
    Reason.UNAVAILABLE: "If the kubelet is being restarted, wait; otherwise look into its log.",
    Reason.UNIMPLEMENTED: "Kubernetes 1.20 or newer is needed; if it is, correct the socket's path"
    " in the configuration.",
    Reason.NOT_GRPC: "Correct the socket's path in the configuration: it is the kubelet's"
    " pod-resources/kubelet.sock.",
    Reason.TOO_LARGE: "See in the kubelet's log what fills the list of allocated devices.",
    Reason.INVALID_REPLY: "Report it with this message and the kubelet's version.",
    Reason.SERVER_ERROR: "Look the message up in the kubelet's log.",
}


class PodResourcesFailure(Exception):  # noqa: N818  it is an answer, not a fault of the program
    """A question to the kubelet without an answer to be trusted.

    Attributes:
        reason: Which kind of failure.
        problem: The failure for people: what happened at which socket, and its cure.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.problem = Problem(reason.value, message, _CURES[reason])
