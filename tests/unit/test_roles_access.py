"""The way to the Kubernetes API that both halves take, as configured."""

from pathlib import Path

import pytest

from pd_exporter.config import KubernetesConfig
from pd_exporter.kube.access import AccessError, KubeAccess, configured

IN_A_POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def account(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_text("")
    return tmp_path


def test_without_configuration_it_is_that_of_every_pod(account: Path) -> None:
    access = configured(KubernetesConfig(), IN_A_POD, account)

    assert access == KubeAccess("https://10.96.0.1:443", account / "token", account / "ca.crt")


def test_files_that_are_given_take_the_place_of_the_pod_s(account: Path) -> None:
    given = KubernetesConfig.model_validate({"token_file": "/t", "ca_file": "/c"})

    access = configured(given, IN_A_POD, account)

    assert access == KubeAccess("https://10.96.0.1:443", Path("/t"), Path("/c"))


def test_a_server_that_is_given_gets_no_token_that_is_not(account: Path) -> None:
    given = KubernetesConfig.model_validate({"server": "http://127.0.0.1:8001"})

    assert configured(given, IN_A_POD, account) == KubeAccess("http://127.0.0.1:8001")


def test_where_there_is_neither_the_key_to_give_is_told(account: Path) -> None:
    with pytest.raises(AccessError) as failure:
        configured(KubernetesConfig(), {}, account)

    assert failure.value.problem.reason == "no_access"
    assert "kubernetes.server" in failure.value.problem.cure
