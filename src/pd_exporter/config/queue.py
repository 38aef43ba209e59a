"""Section `queues`: JetStream queues, and the roles that serve them."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from pd_exporter.config.section import Label, Section


def _jetstream_name(name: str) -> str:
    if any(letter.isspace() or letter in ".*>/\\" for letter in name):
        raise ValueError("a JetStream name has no white space, '.', '*', '>', '/' or '\\'")
    return name


JetStreamName = Annotated[str, Field(min_length=1), AfterValidator(_jetstream_name)]


class Ack(StrEnum):
    """When a queue's workers acknowledge a message."""

    ON_DEQUEUE = "on_dequeue"
    """As soon as they have it, as Dynamo's do: work in service is not in ack pending."""
    AFTER_WORK = "after_work"
    """When the work is done: ack pending is the work in service."""


class QueueConfig(Section):
    """One JetStream queue, and the role that serves it."""

    nats: Label = Field("default", description="Name of its connection, a key of nats.")
    stream: JetStreamName = Field(description="JetStream stream, such as dynamo_prefill_queue.")
    consumer: JetStreamName = Field(description="Durable consumer, such as worker-group.")
    namespace: Label = Field(description="Kubernetes namespace of the service.")
    group: Label = Field(description="RoleBasedGroup or DynamoGraphDeployment.")
    role: Label = Field("prefill", description="Role that serves the queue.")
    ack: Ack = Field(Ack.ON_DEQUEUE, description="When the workers acknowledge.")
    worker_concurrency: int = Field(1, ge=1, description="Requests a worker serves at a time.")
    service_prior_seconds: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Service time to assume until one is measured."
    )
    cap_messages: int | None = Field(
        None, ge=1, description="Pending messages at which producers stop enqueueing."
    )
