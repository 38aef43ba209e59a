from pathlib import Path

import pytest

from pd_exporter.kube.access import AccessError, Credentials, KubeAccess, in_cluster
from pd_exporter.kube.failure import KubeFailure, Reason

IN_A_POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def account(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("host", "server"),
    [("10.96.0.1", "https://10.96.0.1:443"), ("fd00::1", "https://[fd00::1]:443")],
)
def test_a_pod_finds_the_server_and_its_service_account(
    account: Path, host: str, server: str
) -> None:
    access = in_cluster(IN_A_POD | {"KUBERNETES_SERVICE_HOST": host}, account)

    assert access == KubeAccess(server, account / "token", account / "ca.crt")


@pytest.mark.parametrize("name", IN_A_POD)
def test_outside_a_cluster_it_is_said_what_to_give(account: Path, name: str) -> None:
    environment = {key: value for key, value in IN_A_POD.items() if key != name}

    with pytest.raises(AccessError, match="Not in a Kubernetes cluster") as failure:
        in_cluster(environment, account)
    assert "give the API server's URL" in str(failure.value)


def test_a_pod_without_a_service_account_is_told_apart(account: Path) -> None:
    (account / "token").unlink()

    with pytest.raises(AccessError, match="automountServiceAccountToken"):
        in_cluster(IN_A_POD, account)


@pytest.mark.parametrize(
    "server",
    [
        "10.96.0.1:443",
        "nats://10.96.0.1",
        "https://",
        "https://[fd00::1",
        "https://host:0",
        "https://host:99999",
        "https://a..b",
        f"https://{'a' * 64}.example",
    ],
)
def test_what_is_no_servers_url_is_refused(server: str) -> None:
    with pytest.raises(AccessError, match="URL is wanted"):
        KubeAccess(server)


@pytest.mark.parametrize("server", ["https://me:hush@host", "https://host?token=hush"])
def test_no_secret_can_be_in_the_url(server: str) -> None:
    with pytest.raises(AccessError) as failure:
        KubeAccess(server)
    assert "hush" not in str(failure.value)


def test_a_token_is_read_anew_each_time(account: Path) -> None:
    credentials = Credentials(KubeAccess("https://host", account / "token"))

    assert credentials.headers("pods") == {"Authorization": "Bearer first"}
    (account / "token").write_text("second")
    assert credentials.headers("pods") == {"Authorization": "Bearer second"}


@pytest.mark.parametrize("content", [b"", b" \n", b"one\ntwo", b"a\0b", b"\xff\xfe"])
def test_a_file_without_a_token_is_told_without_its_content(account: Path, content: bytes) -> None:
    (account / "token").write_bytes(content)
    credentials = Credentials(KubeAccess("https://host", account / "token"))

    with pytest.raises(KubeFailure) as failure:
        credentials.headers("pods")
    assert failure.value.reason is Reason.UNAUTHORIZED
    assert str(account / "token") in failure.value.message
    assert "one" not in failure.value.message


def test_a_missing_token_file_is_told(account: Path) -> None:
    credentials = Credentials(KubeAccess("https://host", account / "nothing"))

    with pytest.raises(KubeFailure, match="No such file") as failure:
        credentials.headers("pods")
    assert failure.value.reason is Reason.UNAUTHORIZED


@pytest.mark.parametrize("content", ["", "no certificate", "\N{SNOWMAN}", None])
def test_a_ca_file_without_certificates_never_means_the_systems(
    account: Path, content: str | None
) -> None:
    path = account / "ca.crt"
    path.unlink()
    if content is not None:
        path.write_text(content)
    credentials = Credentials(KubeAccess("https://host", ca_file=path))

    with pytest.raises(KubeFailure) as failure:
        credentials.trust("pods")
    assert failure.value.reason is Reason.TLS


def test_without_files_nobody_in_particular_asks_and_the_systems_cas_count() -> None:
    credentials = Credentials(KubeAccess("https://host"))

    assert credentials.headers("pods") == {}
    assert credentials.trust("pods") is True
