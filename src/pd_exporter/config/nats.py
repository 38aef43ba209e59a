"""Section `nats`: where NATS systems are, and how to log in there."""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from pd_exporter.config.section import FilePath, Label, Secret, Section


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


def _readable(path: Path) -> Path:
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ValueError(f"the credentials file {path} cannot be read: {why}") from error
    if "BEGIN NATS USER JWT" not in content:
        raise ValueError(f"{path} is not a NATS credentials file: it holds no user JWT")
    return path


ServerUrl = Annotated[str, AfterValidator(_server_url)]
CredentialsFile = Annotated[FilePath, AfterValidator(_readable)]


class NatsConfig(Section):
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
