"""Programs that the demo starts, watches and ends, and the folder that they write to."""

import asyncio
import os
import signal
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

READY_SECONDS = 30.0
"""Longest wait for a program to be ready, on a busy machine."""
STOP_SECONDS = 5.0
"""How long a program may take to end after SIGTERM."""

_ASK_SECONDS = 0.05
_LOG_LINES = 12

_T = TypeVar("_T")


class DemoError(Exception):
    """The demo cannot go on; the message says why, for people."""


class Child:
    """A running program; `log` is the file with all that it has said."""

    def __init__(self, name: str, log: Path, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.log = log
        self._process = process
        self.ended = asyncio.create_task(process.wait(), name=f"{name} ends")

    def last_lines(self) -> str:
        """Give the end of the log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-_LOG_LINES:]) or "  (it said nothing)"

    async def answer(self, ask: Callable[[], Awaitable[_T | None]]) -> _T:
        """Ask until there is an answer.

        Raises:
            DemoError: There was none in time.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                while True:
                    answer = await ask()
                    if answer is not None:
                        return answer
                    await asyncio.sleep(_ASK_SECONDS)
        raise DemoError(
            f"{self.name} is not ready after {READY_SECONDS:g} s; it said last:\n"
            f"{self.last_lines()}"
        )

    async def stop(self) -> None:
        """End the program, by force where it takes too long."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self.ended.done():
                # Its group, so that a wrapper script goes with what it started.
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, number)
                await asyncio.wait((self.ended,), timeout=STOP_SECONDS)


class Children:
    """Programs and a temporary folder, gone when left; an asynchronous context manager.

    Attributes:
        folder: The temporary folder.
        death: Is done, with what happened, once a program has ended by itself.
    """

    def __init__(self) -> None:
        self.death: asyncio.Future[DemoError] = asyncio.get_running_loop().create_future()
        self._children: list[Child] = []
        self._ending = False
        self._temporary = tempfile.TemporaryDirectory(prefix="pd-exporter-demo-")
        self.folder = Path(self._temporary.name)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending = True
        await asyncio.gather(*(child.stop() for child in self._children))
        self._temporary.cleanup()

    async def start(self, name: str, *command: str | Path) -> Child:
        """Start a program in a session of its own, so that Ctrl-C reaches the demo alone.

        Raises:
            DemoError: It cannot be started.
        """
        path = self.folder / f"{name}.log"
        with path.open("wb") as log:
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=asyncio.subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise DemoError(f"{name} cannot be started: {error}") from error
        child = Child(name, path, process)
        self._children.append(child)
        child.ended.add_done_callback(lambda ended: self._note_end(child, ended))
        return child

    def _note_end(self, child: Child, ended: asyncio.Task[int]) -> None:
        if self._ending or self.death.done() or ended.cancelled():
            return
        status = ended.result()
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        self.death.set_result(
            DemoError(f"{child.name} has ended {how}; it said last:\n{child.last_lines()}")
        )
