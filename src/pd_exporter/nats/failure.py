"""Why JetStream gave no answer to be trusted, told apart, each with its cure."""

from enum import StrEnum

from pd_exporter.reading import Problem


class Reason(StrEnum):
    """Values of the label ``reason`` of pd_queue_errors_total."""

    DISCONNECTED = "disconnected"
    UNAUTHORIZED = "unauthorized"
    PERMISSION_DENIED = "permission_denied"
    JETSTREAM_DISABLED = "jetstream_disabled"
    STREAM_MISSING = "stream_missing"
    CONSUMER_MISSING = "consumer_missing"
    NO_LEADER = "no_leader"
    TIMEOUT = "timeout"
    INVALID_REPLY = "invalid_reply"
    SERVER_ERROR = "server_error"


_CURES = {
    Reason.DISCONNECTED: "Check the servers in the configuration, that NATS runs, and that"
    " DNS and network policies let this pod reach it.",
    Reason.UNAUTHORIZED: "Correct the connection's user and password, token or credentials file.",
    Reason.PERMISSION_DENIED: "Let the exporter's NATS user publish this subject and subscribe"
    " to its inbox prefix.",
    Reason.JETSTREAM_DISABLED: "Enable JetStream on the server and for the account that the"
    " exporter logs in to.",
    Reason.STREAM_MISSING: "Correct the stream's name (with Dynamo 0.2.1 to 0.3.2 it is"
    " {namespace}_prefill_queue) or the account; Dynamo makes it when its first worker starts.",
    Reason.CONSUMER_MISSING: "Correct the consumer's name (worker-group with Dynamo); Dynamo makes"
    " it when its first worker starts and deletes it on shutdown.",
    Reason.NO_LEADER: "Wait for the cluster's election; if it lasts, see that a majority of its"
    " servers runs.",
    Reason.TIMEOUT: "See whether the server is overloaded or stopped, and whether the stream's"
    " leader is reachable.",
    Reason.INVALID_REPLY: "Report it with this message and the server's version.",
    Reason.SERVER_ERROR: "Look the server's message up in its log.",
}


class JetStreamFailure(Exception):  # noqa: N818  it is an answer, not a fault of the program
    """A question to JetStream without an answer to be trusted.

    Attributes:
        reason: Which kind of failure.
        message: What happened and where, a sentence without secrets.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message

    def again(self) -> "JetStreamFailure":
        """The same failure to be raised once more; raised itself, it would grow by a traceback."""
        return JetStreamFailure(self.reason, self.message)

    @property
    def problem(self) -> Problem:
        """The failure for people, with its cure."""
        return Problem(self.reason.value, self.message, _CURES[self.reason])
