"""The configuration file: its schema, and loading it with every problem told at once."""

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import ErrorDetails

from pd_exporter.yamltags import Unresolved, YamlError, load_yaml


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing wrong with a configuration: where (``queues[0].ack``; empty is the file), what."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(Exception):
    """A configuration that cannot be used; `problems` holds every one found."""

    def __init__(self, problems: Sequence[ConfigProblem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def _server_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"not a URL: {error}") from error
    if parts.scheme not in {"nats", "tls"} or not parts.hostname or port == 0:
        raise ValueError("a NATS server's URL is wanted, such as nats://nats.default.svc:4222")
    if parts.username is not None:
        # nats-py forgets credentials in a URL for the cluster's other nodes.
        raise ValueError("credentials go into user and password (or token), not into the URL")
    if parts.path.strip("/") or parts.query:
        raise ValueError("a NATS server's URL ends with its port")
    return url


def _readable(path: Path, info: ValidationInfo) -> Path:
    path = (info.context or {}).get("folder", Path()) / path
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ValueError(f"the credentials file {path} cannot be read: {why}") from error
    if "BEGIN NATS USER JWT" not in content:
        raise ValueError(f"{path} is not a NATS credentials file: it holds no user JWT")
    return path


def _jetstream_name(name: str) -> str:
    if any(letter.isspace() or letter in ".*>/\\" for letter in name):
        raise ValueError("a JetStream name has no white space, '.', '*', '>', '/' or '\\'")
    return name


ServerUrl = Annotated[str, AfterValidator(_server_url)]
CredentialsFile = Annotated[Path, AfterValidator(_readable)]
Secret = Annotated[SecretStr, Field(min_length=1)]
Label = Annotated[str, Field(min_length=1)]
JetStreamName = Annotated[str, Field(min_length=1), AfterValidator(_jetstream_name)]


class NatsConfig(_Section):
    """One NATS system, and how to log in there."""

    servers: tuple[ServerUrl, ...] = Field(
        min_length=1, description="URLs of one or more of its servers; the others are discovered."
    )
    user: Label | None = Field(None, description="User name, with password.")
    password: Secret | None = Field(None, description="Password; use !env or !file.")
    token: Secret | None = Field(None, description="Token; use !env or !file.")
    credentials: CredentialsFile | None = Field(
        None, description="Path of a credentials file (.creds), read anew at every connection."
    )
    inbox_prefix: str = Field(
        "_INBOX_pdexporter",
        pattern=r"^[^\s.*>]+(\.[^\s.*>]+)*$",
        description="Prefix of the reply subjects, so that permissions can name it.",
    )

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        given = [self.user is not None, self.token is not None, self.credentials is not None]
        if sum(given) > 1:
            raise ValueError("only one of user and password, token, and credentials")
        return self


class Ack(StrEnum):
    """When a queue's workers acknowledge a message."""

    ON_DEQUEUE = "on_dequeue"
    """As soon as they have it, as Dynamo's do: work in service is not in ack pending."""
    AFTER_WORK = "after_work"
    """When the work is done: ack pending is the work in service."""


class QueueConfig(_Section):
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


class Config(_Section):
    """The whole configuration; a collector runs when its section is there."""

    nats: Mapping[str, NatsConfig] = Field({}, description="NATS systems by name.")
    queues: tuple[QueueConfig, ...] = Field((), description="Queues to read.")


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: With every problem of the file.
    """
    try:
        document = load_yaml(path, environment)
    except YamlError as error:
        raise ConfigError([ConfigProblem("", str(error))]) from error
    if document is None:
        document = {}
    context = {"folder": path.parent}
    problems = []
    config = None
    try:
        config = Config.model_validate(document, context=context)
    except ValidationError as error:
        problems += [
            ConfigProblem(_path(details["loc"]), _message(details))
            for details in error.errors()
            # A list is also called too short when its items are wrong; those are told already.
            if not (details["type"] == "too_short" and details["input"])
        ]
    problems += _cross_problems(document, context)
    if config is None or problems:
        raise ConfigError(problems)
    return config


def _cross_problems(document: Any, context: Mapping[str, Any]) -> Iterator[ConfigProblem]:
    """Check queues against connections and each other, whatever else is wrong in the file."""
    if not isinstance(document, dict):
        return
    connections = document.get("nats", {})
    entries = document.get("queues", [])
    if not entries:
        yield ConfigProblem("queues", "nothing to collect: list at least one queue")
    series: dict[tuple[str, ...], int] = {}
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        try:
            queue = QueueConfig.model_validate(entry, context=context)
        except ValidationError:
            continue  # already told, with its path
        if isinstance(connections, dict) and queue.nats not in connections:
            yield ConfigProblem(f"queues[{index}].nats", f"nats has no connection {queue.nats!r}")
        labels = (queue.namespace, queue.group, queue.role, queue.stream, queue.consumer)
        first = series.setdefault(labels, index)
        if first != index:
            yield ConfigProblem(
                f"queues[{index}]",
                f"the same namespace, group, role, stream and consumer as queues[{first}]",
            )


def _path(location: tuple[str | int, ...]) -> str:
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


_KEYS = sorted({key for model in (Config, NatsConfig, QueueConfig) for key in model.model_fields})
_WORDS = {
    "missing": "required, and missing",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_type": "text is wanted, not {given}",
    "tuple_type": "a list is wanted, not {given}",
    "model_type": "keys with values are wanted, not {given}",
    "mapping_type": "keys with values are wanted, not {given}",
    "dict_type": "keys with values are wanted, not {given}",
}
_TYPE_NAMES = {
    dict: "keys with values",
    list: "a list",
    str: "text",
    int: "a number",
    float: "a number",
    bool: "a truth value",
    type(None): "nothing",
}


def _message(details: ErrorDetails) -> str:
    """Say what is wrong without repeating the value, which may be a secret."""
    given = details["input"]
    if isinstance(given, Unresolved):
        return given.why
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    if details["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(details["loc"][-1]), _KEYS, n=1)
        return "unknown key" + (f"; did you mean {near[0]}?" if near else "")
    words = _WORDS.get(details["type"]) or details["msg"][0].lower() + details["msg"][1:]
    return words.format(given=_TYPE_NAMES.get(type(given), f"a {type(given).__name__}"))
