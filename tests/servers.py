"""Real servers on loopback for tests, and the programs that they need."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import nats
from nats.aio.client import Client

NATS_VERSIONS = {"current": "nats-server", "debian": "nats-server-debian"}
_T = TypeVar("_T")


def program(name: str) -> str:
    """Path of a program that `make test` puts on PATH, the virtual environment's first."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        message = f"{name} is not on PATH; `make test` fetches it and sets PATH"
        raise FileNotFoundError(message)
    return found


def run(
    *command: str | Path, folder: Path | None = None, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, whatever that is; `text` is its standard input."""
    return subprocess.run(
        command, check=False, cwd=folder, input=text, capture_output=True, text=True, timeout=60
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(
    condition: Callable[[], Awaitable[_T | None]], what: str, seconds: float = 15
) -> _T:
    """Ask again and again until there is an answer, and give it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = await condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        await asyncio.sleep(0.02)


class NatsServer:
    """One nats-server; `settings` is added to its configuration file."""

    def __init__(
        self, binary: str, folder: Path, settings: str = "", *, jetstream: bool = True
    ) -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._binary = binary
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        storage = f'jetstream {{ store_dir: "{folder}" }}\n' if jetstream else ""
        self._base = f'listen: "127.0.0.1:{self.port}"\n{storage}'
        self.configure(settings)

    def configure(self, settings: str) -> None:
        """Replace the added settings; they hold from the next start or reload on."""
        (self._folder / "nats.conf").write_text(self._base + settings)

    def start(self) -> None:
        with (self._folder / "nats.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binary, "-c", str(self._folder / "nats.conf")], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), timeout=1),
            ):
                return
            time.sleep(0.01)
        raise TimeoutError((self._folder / "nats.log").read_text())

    def pause(self) -> None:
        """Stop the server's threads, and return once they stand still."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        # The signal is only on its way: until its threads are interrupted the server still answers.
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(15)
            self._process = None

    async def client(self, **login: str) -> Client:
        return await nats.connect(self.url, max_reconnect_attempts=-1, **login)


@contextlib.contextmanager
def nats_server(
    binary: str, folder: Path, settings: str = "", *, jetstream: bool = True
) -> Iterator[NatsServer]:
    folder.mkdir(parents=True, exist_ok=True)
    server = NatsServer(binary, folder, settings, jetstream=jetstream)
    try:
        server.start()
        yield server
    finally:
        server.stop()
