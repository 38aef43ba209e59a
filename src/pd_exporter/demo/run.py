"""One run of the demo, whatever ends it: nothing stays behind, and the exit status says why."""

import asyncio
import os
import signal
import sys

from rich.console import Console

from pd_exporter.background import cancel
from pd_exporter.demo.plan import Plan, Programs
from pd_exporter.demo.play import play
from pd_exporter.demo.programs.processes import Children, DemoError

_DEATH_SECONDS = 1.0
"""How much later than its effects a program's death may be noticed."""


def run(plan: Plan, programs: Programs, *, keep: bool) -> int:
    """Run the demo; with `keep` it stays up after the burst until it is interrupted.

    Returns:
        0 when all was as it should be, 1 when not or when something failed, and 128 and the
        signal's number when it was interrupted before its end.
    """
    on_terminal = sys.stdout.isatty()
    # Told what to do, rich looks neither at FORCE_COLOR nor at the like.
    console = _Console(
        force_terminal=on_terminal,
        no_color=None if on_terminal else True,
        soft_wrap=not on_terminal,
        highlight=False,
    )
    try:
        return asyncio.run(_supervise(plan, programs, console, keep=keep))
    except DemoError as error:
        sys.stderr.write(f"pd-exporter: {error}\n")
    except BrokenPipeError:
        # Whoever read the output has gone; Python would complain once more as it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let the error end the demo in order; rich would leave by SystemExit on the spot."""
        self.quiet = True
        raise BrokenPipeError


async def _supervise(plan: Plan, programs: Programs, console: Console, *, keep: bool) -> int:
    """Play until the end, a signal or a program's death, whichever is first."""
    loop = asyncio.get_running_loop()
    signalled: asyncio.Future[signal.Signals] = loop.create_future()
    for number in _signals():
        loop.add_signal_handler(number, _note, signalled, number)
    shown: asyncio.Future[int] = loop.create_future()
    async with Children() as children:
        playing = asyncio.create_task(play(plan, programs, console, children, shown, keep=keep))
        await asyncio.wait(
            (playing, children.death, signalled), return_when=asyncio.FIRST_COMPLETED
        )
        if playing.done() and (playing.cancelled() or playing.exception()):
            # It may have failed because a program died.
            await asyncio.wait(
                (children.death, signalled),
                timeout=_DEATH_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
        await cancel([playing])
    failure = None if playing.cancelled() else playing.exception()
    if signalled.done():
        # Ctrl-C is the way to end a demo that stays up.
        over = signalled.result() is signal.SIGINT and shown.done()
        return shown.result() if over else 128 + signalled.result()
    if children.death.done():
        raise children.death.result()
    if failure is not None:
        raise failure
    return shown.result()


def _note(signalled: "asyncio.Future[signal.Signals]", number: signal.Signals) -> None:
    if not signalled.done():  # a second one cannot hurry the cleaning up, which is bounded
        signalled.set_result(number)


def _signals() -> list[signal.Signals]:
    wanted = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # under nohup it stays ignored
        wanted.append(signal.SIGHUP)
    return wanted
