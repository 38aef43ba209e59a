"""Section `kubernetes`: where the Kubernetes API is, and how to log in there."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from pd_exporter.config.section import FilePath, Section


def api_url(url: str) -> str:
    """Accept the URL of a Kubernetes API server, and give it without a slash at its end.

    Raises:
        ValueError: It cannot be one; the message holds nothing of it, which may be a secret.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.port != 0
        usable = usable and bool((parts.hostname or "").encode("idna"))
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("the Kubernetes API's URL is wanted, such as https://10.96.0.1:443")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("the URL has neither credentials nor a query; a token goes into a file")
    return url.rstrip("/")


class KubernetesConfig(Section):
    """The Kubernetes API; what is not given is as in every pod of a cluster."""

    server: Annotated[str, AfterValidator(api_url)] | None = Field(
        None, description="URL of the API; else that of the cluster which the exporter runs in."
    )
    token_file: FilePath | None = Field(
        None,
        description="File of the bearer token; without server, else that of the pod's service"
        " account.",
    )
    ca_file: FilePath | None = Field(
        None,
        description="Certificates to trust, PEM; without server, else those of the pod's service"
        " account.",
    )
