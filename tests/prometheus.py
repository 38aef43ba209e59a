"""A real Prometheus on loopback that holds given samples, for tests of what it computes."""

import contextlib
import http.client
import json
import subprocess
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.servers import free_port, program, run

Labels = tuple[tuple[str, str], ...]
"""Labels of a series in the order of their names, that of the metric left out."""

Sample = tuple[int, float]
"""Milliseconds since 1970, and the value."""


def labels(**by_name: str) -> Labels:
    return tuple(sorted(by_name.items()))


class Prometheus:
    """A server that answers queries; nothing is scraped."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def version(self) -> tuple[int, int]:
        """Major and minor version."""
        major, minor, *_ = str(self._ask("/api/v1/status/buildinfo")["version"]).split(".")
        return int(major), int(minor)

    def query(self, expression: str, milliseconds: int) -> Mapping[Labels, float]:
        """The instant vector that the expression gives."""
        question = {"query": expression, "time": f"{milliseconds / 1000:.3f}"}
        data = self._ask(f"/api/v1/query?{urllib.parse.urlencode(question)}")
        assert data["resultType"] == "vector", data
        found = {
            labels(**{k: v for k, v in each["metric"].items() if k != "__name__"}): float(
                each["value"][1]
            )
            for each in data["result"]
        }
        assert len(found) == len(data["result"]), "series that differ in nothing but their names"
        return found

    def close(self) -> None:
        self._http.close()

    def _ask(self, path: str) -> Mapping[str, Any]:
        status, body = self._get(path)
        assert status == http.client.OK, body
        answer = json.loads(body)
        assert not answer.get("warnings"), answer
        data: Mapping[str, Any] = answer["data"]
        return data

    def _get(self, path: str) -> tuple[int, bytes]:
        self._http.request("GET", path)
        response = self._http.getresponse()
        return response.status, response.read()


@contextlib.contextmanager
def prometheus(
    folder: Path, series: Mapping[tuple[str, Labels], Sequence[Sample]]
) -> Iterator[Prometheus]:
    """Start a server on the samples of series, each known by its name and labels."""
    data = folder / "data"
    data.mkdir(parents=True)
    _write_samples(folder / "samples.txt", series)
    made = run(
        *(program("promtool"), "tsdb", "create-blocks-from", "openmetrics"),
        *(folder / "samples.txt", data),
    )
    assert made.returncode == 0, made.stdout + made.stderr
    with stored(folder, data) as port:
        server = Prometheus(port)
        try:
            yield server
        finally:
            server.close()


@contextlib.contextmanager
def stored(folder: Path, data: Path, *flags: str) -> Iterator[int]:
    """Run a server that scrapes and evaluates nothing, on what is stored; gives its port."""
    (folder / "prometheus.yaml").write_text("")
    port = free_port()
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={data}",
                "--storage.tsdb.retention.time=100y",  # the samples' times are the test's own
                f"--web.listen-address=127.0.0.1:{port}",
                *flags,
            ],
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + 30
        while not _ready(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield port
    finally:
        process.kill()  # what it would write at its end is nobody's
        process.wait(15)


def _ready(port: int) -> bool:
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(asking):
        asking.request("GET", "/-/ready")
        return asking.getresponse().status == http.client.OK
    return False


def _write_samples(file: Path, series: Mapping[tuple[str, Labels], Sequence[Sample]]) -> None:
    lines = []
    for (name, of), samples in series.items():
        marks = ",".join(f'{label}="{value}"' for label, value in of)
        lines += [
            f"{name}{{{marks}}} {float(value)!r} {milliseconds // 1000}.{milliseconds % 1000:03}"
            for milliseconds, value in samples
        ]
    file.write_text("\n".join([*lines, "# EOF", ""]))
