"""The real command with a short burst: what it says, and that nothing of it is left."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.demo import BURST, REQUESTS, StartDemo, demos
from tests.exposition import Page

CHILDREN = {"nats-server", "pd-exporter", "prometheus"}
ROLE = {"min": 1, "max": 6, "bound": 1, "active": 1, "accepted": 1}
SCALING = {
    "ready": "pd_role_replicas_ready",
    "min": "pd_role_replicas_min",
    "max": "pd_role_replicas_max",
    "bound": "pd_role_adapter_bound",
    "active": "pd_role_hpa_active",
    "accepted": "pd_role_scaledobject_ready",
}


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[StartDemo]:
    with demos(tmp_path) as start:
        yield start


def roles(page: Page) -> dict[str, dict[str, float]]:
    """What the page has of the roles and of what scales them."""
    return {
        role: {what: page.value(name, role=role) for what, name in SCALING.items()}
        for role in ("prefill", "decode")
    }


def test_burst_is_seen_in_the_recorded_series(demo: StartDemo) -> None:
    run = demo(*BURST[:-1], "0.1")

    assert run.status() == 0, run.output()
    peak = [int(cell) for cell in run.row("lag, peak")]
    assert run.row("lag, first") == ["0", "0", "0"]
    assert run.row("lag, last") == ["0", "0", "0"]
    assert 7 <= peak[0] <= 8
    assert all(4 <= seen <= peak[0] + 1 for seen in peak[1:])
    assert run.row("enqueued") == run.row("delivered") == [f"{REQUESTS}", f"{REQUESTS}"]
    assert run.row("lost") == ["0", "0"]
    assert 0.2 < float(run.row("wait, peak")[-2]) < 3
    decode = "simulated GPU memory, decode"
    idle, *others = run.gibs(f"{decode}, first")
    assert [idle, *others] == run.gibs(f"{decode}, last") == [idle] * 3
    full, *seen = run.gibs(f"{decode}, peak")
    assert all(idle * 1.2 < highest <= full for highest in seen)
    before = run.gibs("simulated GPU memory, prefill, first")
    after = run.gibs("simulated GPU memory, prefill, last")
    assert all(loaded > idle for idle, loaded in zip(before, after, strict=True))
    assert f"ceil({peak[2]} / 5) = {-(-peak[2] // 5)}" in run.output()
    assert run.row("prefill replicas Ready, last") == ["2", "2"]
    assert run.row("serving workers, peak") == ["1.00", "1.00"]
    assert run.row("required workers, first") == ["0.00", "0.00"]
    true, recorded = (float(cell) for cell in run.row("required workers, peak"))
    assert 0 < recorded == pytest.approx(true, rel=0.25, abs=0.1)
    assert run.row("decode KV demand, last") == ["0.00", "0.00"]
    assert float(run.row("decode KV demand, peak")[1]) > 0.1
    assert "\x1b" not in run.output()


def test_without_prometheus_says_how_to_get_it_and_stays_up(demo: StartDemo) -> None:
    run = demo(*BURST, "--keep", prometheus=False)
    run.wait_for_text("Still up")
    page = run.metrics()
    pods = json.loads(run.get(r"Kubernetes API +(\S+)"))
    engine = run.get(r"pods' metrics +(\S+)")

    run.process.send_signal(signal.SIGINT)

    assert run.status() == 0, run.output()
    assert "https://prometheus.io/download/" in run.output()
    assert run.row("lag, peak")[-1] == "-"
    assert 4 <= int(run.row("lag, peak")[1]) <= 9
    assert run.row("enqueued") == [f"{REQUESTS}", f"{REQUESTS}"]
    assert "exporter's lag rose" in run.output()
    delivered = page.value("pd_queue_delivered_messages_total", group="dynamo-pd")
    assert delivered == REQUESTS
    written, exported = run.gibs("simulated GPU memory, decode, peak")
    assert written == exported > run.gibs("simulated GPU memory, decode, last")[0]
    for pod in ("prefill-0", "prefill-1", "decode-0", "decode-1"):
        name = f"dynamo-pd-{pod}"
        assert page.value("pd_pod_gpu_memory_used_bytes", pod=name, group="dynamo-pd") > 0
    gpus = [sample for sample in page.samples if sample.name == "pd_gpu_info"]
    assert {gpu.labels["backend"] for gpu in gpus} == {"simulated"}
    assert roles(page) == {"prefill": ROLE | {"ready": 2}, "decode": ROLE | {"ready": 3}}
    assert page.value("pd_pod_ready", pod="dynamo-pd-prefill-1") == 1
    assert len(pods["items"]) == 6
    assert 'vllm:request_success_total{engine="0",finished_reason="length"' in engine


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_in_the_burst_ends_everything(demo: StartDemo, number: signal.Signals) -> None:
    run = demo("--service-seconds", "1", prometheus=number is signal.SIGINT)
    run.wait_for_text("burst:")

    run.process.send_signal(number)
    run.process.send_signal(number)  # people press Ctrl-C twice

    assert run.status() == 128 + number, run.output()


def test_signal_at_the_start_ends_everything(demo: StartDemo) -> None:
    run = demo(*BURST)
    run.wait_for(lambda: "nats-server" in run.children())

    run.process.send_signal(signal.SIGINT)

    assert run.status() == 130, run.output()


@pytest.mark.parametrize("name", sorted(CHILDREN))
def test_program_that_dies_is_named(demo: StartDemo, name: str) -> None:
    run = demo("--service-seconds", "1", prometheus=name == "prometheus")
    run.wait_for_text("burst:" if name == "nats-server" else "warm-up:")

    os.kill(run.children()[name], signal.SIGKILL)

    assert run.status() == 1
    assert f"{name} has ended by SIGKILL" in run.output()


def test_programs_run_in_sessions_of_their_own(demo: StartDemo) -> None:
    run = demo(*BURST)
    run.wait_for(lambda: run.children().keys() == CHILDREN)

    assert all(os.getsid(pid) == pid for pid in run.children().values())


def test_program_that_cannot_run_is_told_with_its_log(demo: StartDemo, tmp_path: Path) -> None:
    broken = tmp_path / "nats-server"
    broken.write_text("#!/bin/sh\necho no such luck\nexit 3\n")
    broken.chmod(0o755)
    run = demo(*BURST, "--nats-server", str(broken), prometheus=False)

    assert run.status() == 1
    assert "nats-server has ended with status 3" in run.output()
    assert "no such luck" in run.output()


def test_ends_in_order_when_its_reader_goes(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    command = f"{json.dumps(sys.executable)} -m pd_exporter demo --service-seconds 1 | head -n 1"
    environment = os.environ | {"TMPDIR": str(temporary)}

    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stderr == ""
    assert list(temporary.iterdir()) == []
