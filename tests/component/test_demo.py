"""The real command with a short burst: what it says, and that nothing of it is left."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.servers import program

REQUESTS = 60
BURST = ["--requests", f"{REQUESTS}", "--concurrency", "8", "--service-seconds", "0.05"]
CHILDREN = {"nats-server", "pd-exporter", "prometheus"}


class Demo:
    """A run of the command, whose temporary files and output lie in a folder of the test's."""

    def __init__(self, folder: Path, *arguments: str, path: str) -> None:
        self._temporary = folder / "tmp"
        self._temporary.mkdir()
        self._output = folder / "output"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pd_exporter", "demo", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"TMPDIR": str(self._temporary), "PATH": path},
            )

    def output(self) -> str:
        return self._output.read_text()

    def children(self) -> Mapping[str, int]:
        """Pids of the running programs by name: those that were given files in the folder."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue  # it has ended meanwhile
            if any(str(self._temporary) in word for word in words):
                name = "pd-exporter" if "pd_exporter" in words else Path(words[0]).name
                found[name] = int(folder.name)
        return found

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.02)

    def wait_for_text(self, text: str) -> None:
        self.wait_for(lambda: text in self.output())

    def status(self) -> int:
        """Exit status of the command once it has ended, when nothing of it may be left."""
        status = self.process.wait(60)

        assert self.children() == {}
        assert list(self._temporary.iterdir()) == []
        assert "Traceback" not in self.output()
        return status

    def row(self, name: str) -> list[str]:
        """Cells of a row of the summary, the name left out."""
        found = re.search(rf"^ *{name} {{2,}}(.*)$", self.output(), re.MULTILINE)
        assert found, self.output()
        return found[1].split()


StartDemo = Callable[..., Demo]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[StartDemo]:
    """Start a demo, by default where there is a Prometheus."""
    started = []

    def start(*arguments: str, prometheus: bool = True) -> Demo:
        path = str(Path(program("prometheus")).parent) if prometheus else "/nowhere"
        demo = Demo(tmp_path, *arguments, path=path)
        started.append(demo)
        return demo

    yield start
    for demo in started:
        if demo.process.poll() is None:
            demo.process.terminate()
            demo.process.wait(30)


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
    assert f"ceil({peak[2]} / 5) = {-(-peak[2] // 5)}" in run.output()
    assert "\x1b" not in run.output()


def test_without_prometheus_says_how_to_get_it_and_stays_up(demo: StartDemo) -> None:
    run = demo(*BURST, "--keep", prometheus=False)
    run.wait_for_text("Still up")
    found = re.search(r"metrics +(http://\S+/metrics)", run.output())
    assert found, run.output()

    with urllib.request.urlopen(found[1], timeout=10) as response:  # noqa: S310  http, ours
        page = response.read().decode()
    run.process.send_signal(signal.SIGINT)

    assert run.status() == 0, run.output()
    assert "https://prometheus.io/download/" in run.output()
    assert run.row("lag, peak")[-1] == "-"
    assert 4 <= int(run.row("lag, peak")[1]) <= 9
    assert run.row("enqueued") == [f"{REQUESTS}", f"{REQUESTS}"]
    assert "exporter's lag rose" in run.output()
    assert re.search(r'pd_queue_delivered_messages_total\{.*group="dynamo-pd".*\} 60\.0', page)


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
