"""What goes wrong with a Kubernetes API server, and what is still known then."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pd_exporter.kube.api import Timeouts
from pd_exporter.kube.pace import Pace
from tests.fakes.kube_api import USER, KubeApi, kube_api
from tests.fakes.kube_objects import pod
from tests.fakes.tls import Authority, authority
from tests.kube import Pauses, pods_of
from tests.servers import free_port


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return authority(tmp_path / "ca")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "not_found"),
        (429, "throttled"),
        (500, "server_error"),
        (503, "server_error"),
        (302, "server_error"),
    ],
)
async def test_a_refused_list_is_a_problem_until_it_is_answered(
    api: KubeApi, code: int, reason: str
) -> None:
    api.fail("list", code, "Whatever")
    async with pods_of(api) as watched:
        await watched.pods.first()
        known = watched.pods.known()

        assert known.value is None
        assert known.at is None
        assert known.problem is not None
        assert known.problem.reason == reason
        assert f"{api.url}/api/v1/pods" in known.problem.message
        assert f"HTTP {code}" in known.problem.message

        api.heal()
        await watched.names("a")
        await watched.has(None)


async def test_a_refused_watch_is_a_problem_beside_what_was_listed(api: KubeApi) -> None:
    api.forbid("watch")
    async with pods_of(api) as watched:
        await watched.has("forbidden")
        problem = watched.pods.known().problem

        assert watched.uids == {"a": "uid-1"}
        assert problem is not None
        assert f'User "{USER}" cannot watch resource "pods"' in problem.message
        assert "ClusterRole" in problem.cure
        assert api.count("list") == 1

        api.heal()
        await watched.watches()
        assert api.count("list") == 1


async def test_a_token_that_expires_is_read_anew(api: KubeApi, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    api.token = "old"
    async with pods_of(api, token_file=token) as watched:
        await watched.watches()

        api.token = "new"
        api.end_watches()
        await watched.has("unauthorized")
        assert watched.uids == {"a": "uid-1"}

        token.write_text("new")
        await watched.watches()


async def test_no_problem_holds_the_token(api: KubeApi, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush-hush")
    api.token = "another"
    with capture_logs() as logs:
        async with pods_of(api, token_file=tmp_path / "token") as watched:
            await watched.has("unauthorized")
            problem = watched.pods.known().problem

    assert api.requests[0].headers["Authorization"] == "Bearer hush-hush"
    assert "hush" not in f"{problem} {logs}"


async def test_the_token_is_not_taken_to_another_server(api: KubeApi, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush-hush")
    async with kube_api() as another:
        api.fail("list", 302, "Found", {"Location": f"{another.url}/api/v1/pods"})
        async with pods_of(api, token_file=tmp_path / "token") as watched:
            await watched.has("server_error")

        assert not another.requests


async def test_the_last_known_pods_stay_while_the_server_is_away(api: KubeApi) -> None:
    with capture_logs() as logs:
        async with pods_of(api) as watched:
            await watched.watches()
            await api.stop()
            await watched.has("unreachable")
            assert watched.uids == {"a": "uid-1"}

            api.create(pod("b"))
            await api.start()
            await watched.names("a", "b")
            await watched.has(None)

    assert [log["event"] for log in logs if log["log_level"] != "debug"] == [
        "kubernetes not watched",
        "kubernetes watched again",
    ]
    assert api.count("list") == 1


async def test_a_host_that_does_not_exist_is_a_problem(api: KubeApi) -> None:
    async with pods_of(api, server="http://nowhere.invalid") as watched:
        await watched.has("unreachable")


@pytest.mark.parametrize("verb", ["list", "watch"])
async def test_a_server_that_does_not_answer_is_given_up(api: KubeApi, verb: str) -> None:
    api.hang(verb)
    async with pods_of(api, timeouts=Timeouts(answer=0.1)) as watched:
        await watched.has("unreachable")
        problem = watched.pods.known().problem
        assert problem is not None
        assert "no answer in time" in problem.message

        api.heal()
        await watched.names("a")
        await watched.has(None)


async def test_what_is_no_kubernetes_api_is_told(api: KubeApi) -> None:
    async with kube_api() as proxy:
        proxy.fail("list", 200, "it is no list")
        async with pods_of(proxy) as watched:
            await watched.has("invalid_reply")


async def test_retry_after_is_obeyed(api: KubeApi) -> None:
    pauses = Pauses()
    api.fail("list", 429, "TooManyRequests", {"Retry-After": "7"})
    async with pods_of(api, Pace(pause=pauses, chance=lambda: 1.0)):
        start, *later = await pauses.reach(4)

    assert start == 2
    assert later == [7 + 1, 7 + 2, 7 + 4]


async def test_pauses_grow_while_the_server_is_away(api: KubeApi) -> None:
    pauses = Pauses()
    async with pods_of(
        api, Pace(pause=pauses, chance=lambda: 1.0), server=f"http://127.0.0.1:{free_port()}"
    ):
        start, *later = await pauses.reach(9)

    assert start == 2
    assert later == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_the_servers_ca_is_trusted(ca: Authority) -> None:
    async with kube_api(ca.server()) as api:
        api.create(pod("a"))
        async with pods_of(api, ca_file=ca.certificate) as watched:
            await watched.names("a")
            await watched.watches()
            api.create(pod("b"))
            await watched.names("a", "b")


async def test_an_expired_certificate_is_told(ca: Authority) -> None:
    async with (
        kube_api(ca.server(days=0)) as api,
        pods_of(api, ca_file=ca.certificate) as watched,
    ):
        await watched.has("tls")
        assert "certificate has expired" in str(watched.pods.known().problem)


async def test_a_certificate_for_another_address_is_told(ca: Authority) -> None:
    async with (
        kube_api(ca.server(host="10.96.0.1")) as api,
        pods_of(api, ca_file=ca.certificate) as watched,
    ):
        await watched.has("tls")
        assert "127.0.0.1" in str(watched.pods.known().problem)


async def test_a_ca_that_is_replaced_is_read_anew(ca: Authority, tmp_path: Path) -> None:
    trusted = tmp_path / "trusted.crt"
    trusted.write_bytes(authority(tmp_path / "other").certificate.read_bytes())
    async with kube_api(ca.server()) as api:
        api.create(pod("a"))
        async with pods_of(api, ca_file=trusted) as watched:
            await watched.has("tls")
            assert not api.requests

            trusted.write_bytes(ca.certificate.read_bytes())
            await watched.names("a")
            await watched.has(None)


async def test_without_a_ca_file_the_systems_cas_do_not_know_the_server(ca: Authority) -> None:
    async with kube_api(ca.server()) as api, pods_of(api) as watched:
        await watched.has("tls")


async def test_https_to_a_server_without_tls_is_told(api: KubeApi) -> None:
    async with pods_of(api, server=f"https://127.0.0.1:{api.port}") as watched:
        await watched.has("tls")


async def test_http_to_a_server_with_tls_is_told(ca: Authority) -> None:
    async with (
        kube_api(ca.server()) as api,
        pods_of(api, server=f"http://127.0.0.1:{api.port}") as watched,
    ):
        await watched.has("unreachable")
