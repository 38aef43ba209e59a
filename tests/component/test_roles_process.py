"""The roles collector in the real process that a Deployment runs."""

import asyncio
import signal
from pathlib import Path

import yaml

from tests.exposition import Page
from tests.fakes.kube_api import kube_api
from tests.fakes.kube_scaling import hpa, rbg_adapter, worker
from tests.process import COMMAND, exporter_process
from tests.roles_cluster import ROLE, install_all
from tests.servers import run


async def test_every_key_of_the_configuration_does_what_it_says(tmp_path: Path) -> None:
    document = {
        "roles": {
            "namespaces": ["default"],
            "settings": [
                ROLE
                | {
                    "startup_seconds": 120,
                    "worker_concurrency": 2,
                    "service_prior_seconds": 0.4,
                    "wait_goal_seconds": 5,
                }
            ],
            "ratios": [{"namespace": "default", "group": "dynamo-pd", "prefill_per_decode": 0.5}],
        },
        "role_aliases": {"prompt": "prefill"},
    }
    (tmp_path / "token").write_text("sesame")
    config = tmp_path / "pd-exporter.yaml"
    async with kube_api() as api:
        api.token = "sesame"
        install_all(api)
        adapter = rbg_adapter("prompt", 2)
        for made in (worker("prompt", 0), adapter, hpa(adapter, most=6)):
            api.create(made)
        kubernetes = {"server": api.url, "token_file": "token"}
        config.write_text(yaml.safe_dump(document | {"kubernetes": kubernetes}))
        async with exporter_process(config) as process:
            page = Page(await process.get("metrics"))
            landing = await process.get("")
            loaded = await asyncio.to_thread(Path(f"/proc/{process.process.pid}/maps").read_text)
            process.process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.process.wait(), 10) == 0

    assert page.value("pd_role_replicas_ready", **ROLE) == 1
    assert page.value("pd_role_replicas_desired", **ROLE) == 2
    assert page.value("pd_role_replicas_max", **ROLE) == 6
    assert page.value("pd_role_startup_seconds", **ROLE) == 120
    assert page.value("pd_role_worker_concurrency", **ROLE) == 2
    assert page.value("pd_role_service_prior_seconds", **ROLE) == 0.4
    assert page.value("pd_role_wait_goal_seconds", **ROLE) == 5
    assert page.value("pd_group_target_prefill_decode_ratio", group="dynamo-pd") == 0.5
    assert page.value("pd_collector_success", collector="roles") == 1
    assert "default/dynamo-pd/prefill" in landing
    assert "_sodium" not in loaded  # nkeys', which signs for NATS


def test_a_problem_of_the_section_is_told_with_its_path(tmp_path: Path) -> None:
    config = tmp_path / "pd-exporter.yaml"
    config.write_text("roles: {namespaces: [default, default]}\n")

    checked = run(*COMMAND, "check", config)

    assert checked.returncode == 1
    assert "roles.namespaces: named more than once: default" in checked.stdout + checked.stderr
