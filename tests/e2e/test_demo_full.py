"""The demo as it comes: the stress test's burst, whole, with Prometheus and the shipped rules."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import program


@pytest.mark.timeout(300)
def test_the_usual_burst_asks_for_six_replicas(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pd_exporter", "demo", "--once"]
    command += ["--prometheus", program("prometheus")]

    done = subprocess.run(
        command,
        env={"TMPDIR": str(tmp_path), "PATH": "/nowhere"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []
    peak = re.search(r"recorded lag rose from 0 to (\d+) and fell back to 0", done.stdout)
    assert peak, done.stdout
    assert 30 <= int(peak[1]) <= 33  # 32 clients, of whom one is served
    assert "= 7, capped to 6 replicas" in done.stdout
    assert re.search(r"^ *enqueued +320 +320 *$", done.stdout, re.MULTILINE)
    assert re.search(r"^ *lost +0 +0 *$", done.stdout, re.MULTILINE)
    assert "320 of 320 requests done" in done.stdout
    workers = re.search(
        r"^right: required workers went from 0.0 to (\S+) in the burst and were (\S+) after it,"
        r" with a service time of (\S+) s",
        done.stdout,
        re.MULTILINE,
    )
    assert workers, done.stdout
    peak_required, last, service = (float(number) for number in workers.groups())
    # 5 requests a second that take 0.2 s each keep one worker busy; what is above is headroom.
    assert 2.4 <= peak_required <= 3.1
    assert 1 < last < peak_required
    assert 0.15 <= service <= 0.25
    gpus = "right: the simulated GPU memory of"
    assert re.search(rf"^{gpus} prefill went from 72.0 GiB to", done.stdout, re.MULTILINE)
    decode = re.search(
        rf"^{gpus} decode rose from (\S+) GiB to (\S+) GiB and fell back to \1",
        done.stdout,
        re.MULTILINE,
    )
    assert decode, done.stdout
    # 5 sequences a second that take 4 seconds each, with 1.1 GiB of cache.
    assert 20 <= float(decode[2]) - float(decode[1]) <= 25
