"""The real command, whose temporary files and output lie in a folder of the test's."""

import contextlib
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.exposition import Page
from tests.servers import program

REQUESTS = 60
BURST = ["--requests", f"{REQUESTS}", "--concurrency", "8", "--service-seconds", "0.05"]

StartDemo = Callable[..., "Demo"]


class Demo:
    """A run of the command."""

    def __init__(self, folder: Path, *arguments: str, environment: dict[str, str]) -> None:
        self._temporary = folder / "tmp"
        self._temporary.mkdir()
        self._output = folder / "output"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pd_exporter", "demo", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"TMPDIR": str(self._temporary)} | environment,
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
        deadline = time.monotonic() + 60
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

    def metrics(self) -> Page:
        """The exporter's page, of a demo that stays up."""
        return Page(self.get(r"^  metrics +(\S+)"))

    def get(self, address: str) -> str:
        """What is at the address that the output tells, of a demo that stays up."""
        found = re.search(address, self.output(), re.MULTILINE)
        assert found, self.output()
        with urllib.request.urlopen(found[1], timeout=10) as response:  # noqa: S310  http, ours
            body: bytes = response.read()
            return body.decode()

    def row(self, name: str) -> list[str]:
        """Cells of a row of the summary, the name left out."""
        found = re.search(rf"^ *{name} {{2,}}(.*)$", self.output(), re.MULTILINE)
        assert found, self.output()
        return found[1].split()

    def gibs(self, name: str) -> list[float]:
        """Cells of a row of memory, those without any left out."""
        return [float(cell) for cell in self.row(name) if cell not in {"GiB", "-"}]


@contextlib.contextmanager
def demos(folder: Path) -> Iterator[StartDemo]:
    """Give what starts a demo, by default where there is a Prometheus; it is ended at the end."""
    started = []

    def start(
        *arguments: str, prometheus: bool = True, environment: dict[str, str] | None = None
    ) -> Demo:
        path = str(Path(program("prometheus")).parent) if prometheus else "/nowhere"
        demo = Demo(folder, *arguments, environment=(environment or {}) | {"PATH": path})
        started.append(demo)
        return demo

    yield start
    for demo in started:
        if demo.process.poll() is None:
            demo.process.terminate()
            demo.process.wait(30)
