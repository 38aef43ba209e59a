"""How to reach the Kubernetes API: its address, the token that proves who asks, and its CA."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pd_exporter.config.kubernetes import KubernetesConfig, api_url
from pd_exporter.kube.failure import KubeFailure, Reason
from pd_exporter.reading import Problem

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its service account's token and the cluster's CA."""


class AccessError(ValueError):
    """It is not known how to reach the Kubernetes API."""

    @property
    def problem(self) -> Problem:
        """The error for people, with its cure."""
        return Problem("no_access", str(self), "The key for the URL is kubernetes.server.")


@dataclass(frozen=True, slots=True)
class KubeAccess:
    """A Kubernetes API server, and the way in.

    Attributes:
        server: Its URL, https:// or, for `kubectl proxy`, http://.
        token_file: Holds the bearer token; read anew for every request, because the kubelet
            replaces it about once an hour. None sends none.
        ca_file: Holds the CA certificates to trust, in PEM; None trusts the system's.

    Raises:
        AccessError: The URL cannot be that of an API server.
    """

    server: str
    token_file: Path | None = None
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        try:
            api_url(self.server)
        except ValueError as error:
            raise AccessError(f"Of the Kubernetes API server: {error}.") from error


def in_cluster(
    environment: Mapping[str, str] = os.environ, folder: Path = SERVICE_ACCOUNT
) -> KubeAccess:
    """Give the way in that every pod has.

    Raises:
        AccessError: This process does not run in a pod, or in one without a service account.
    """
    host = environment.get("KUBERNETES_SERVICE_HOST")
    port = environment.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise AccessError(
            "Not in a Kubernetes cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are"
            " not set. Run as a pod, or give the API server's URL (kubectl proxy serves one)."
        )
    token, certificates = folder / "token", folder / "ca.crt"
    missing = [str(path) for path in (token, certificates) if not path.exists()]
    if missing:
        raise AccessError(
            f"The pod has no service account: {' and '.join(missing)} not found."
            " Do not set automountServiceAccountToken to false."
        )
    if ":" in host:
        host = f"[{host}]"
    return KubeAccess(f"https://{host}:{port}", token, certificates)


def configured(
    given: KubernetesConfig,
    environment: Mapping[str, str] = os.environ,
    folder: Path = SERVICE_ACCOUNT,
) -> KubeAccess:
    """Take what the configuration gives, and the rest as in every pod.

    Raises:
        AccessError: There is no rest: this is no pod.
    """
    if given.server is not None:
        return KubeAccess(given.server, given.token_file, given.ca_file)
    usual = in_cluster(environment, folder)
    return KubeAccess(
        usual.server, given.token_file or usual.token_file, given.ca_file or usual.ca_file
    )


class Credentials:
    """What the files hold that the access names, read anew each time: both are replaced in use."""

    def __init__(self, access: KubeAccess) -> None:
        self._access = access
        self._trust: tuple[str, ssl.SSLContext] | None = None

    def headers(self, resource: str) -> dict[str, str]:
        """Give the header that proves who asks.

        Raises:
            KubeFailure: UNAUTHORIZED; the token file cannot be read or holds no token.
        """
        path = self._access.token_file
        if path is None:
            return {}
        try:
            token = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            message = f"The token file {path} cannot be read: {why}."
            raise KubeFailure(Reason.UNAUTHORIZED, message, resource) from error
        if not token.isprintable() or len(token.split()) != 1:
            message = f"The token file {path} holds no token."
            raise KubeFailure(Reason.UNAUTHORIZED, message, resource)
        return {"Authorization": f"Bearer {token}"}

    def trust(self, resource: str) -> ssl.SSLContext | bool:
        """Give the CAs to trust, as aiohttp takes them; True is the system's.

        Raises:
            KubeFailure: TLS; the CA file cannot be read or holds no certificates.
        """
        path = self._access.ca_file
        if path is None:
            return True
        try:
            pem = path.read_text(encoding="ascii")
            if self._trust is None or self._trust[0] != pem:
                self._trust = pem, _trusting(pem)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it holds no certificates"
            message = f"The CA file {path} cannot be used: {why}."
            raise KubeFailure(Reason.TLS, message, resource) from error
        return self._trust[1]


def _trusting(pem: str) -> ssl.SSLContext:
    # ssl.create_default_context trusts the system's CAs where it is given an empty text, and from
    # Python 3.13 on refuses certificates without a key identifier, as many clusters have them.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=pem)
    return context
