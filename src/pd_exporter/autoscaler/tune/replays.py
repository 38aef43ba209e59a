"""Many replays, in several processes."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import repeat
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait

from pd_exporter.autoscaler.setting import Setting
from pd_exporter.autoscaler.tune.score import Judge, Result

Progress = Callable[[int, int], None]
"""Told of how many replays how many are done."""

Replay = Callable[[Sequence[Setting], Sequence[int]], list[Result]]
"""Replays settings, each once a seed, and gives their results in order."""


@contextmanager
def replays(judge: Judge, progress: Callable[[int], None], processes: int) -> Iterator[Replay]:
    """Give what replays settings, in other processes where there are to be several.

    `progress` is told how many replays are done.

    Raises:
        ChildProcessError: One of the processes was ended from outside.
    """
    done = 0
    executor = _executor(judge, processes) if processes > 1 else None

    def replay(settings: Sequence[Setting], seeds: Sequence[int]) -> list[Result]:
        nonlocal done
        results = []
        given = (
            executor.map(_result, settings, repeat(seeds), chunksize=4)
            if executor
            else map(judge.result, settings, repeat(seeds))
        )
        for result in given:
            results.append(result)
            done += len(seeds)
            progress(done)
        return results

    try:
        yield replay
    except BrokenExecutor as error:
        raise ChildProcessError(
            "a replaying process was ended from outside, perhaps for lack of memory; give fewer"
            " --processes, or a shorter trace"
        ) from error
    finally:
        if executor:
            executor.shutdown(cancel_futures=True)


_judge: Judge  # of this process, where it is one of a search's


def _executor(judge: Judge, processes: int) -> Executor:
    # Spawned and not forked: whoever shows the progress may have threads.
    executor = ProcessPoolExecutor(
        processes, get_context("spawn"), initializer=_begin, initargs=(judge,)
    )
    # The first task starts all processes. They inherit that an interrupt is not for them, which
    # would otherwise meet them half started.
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        executor.submit(int)
    finally:
        signal.signal(signal.SIGINT, usual)
    return executor


def _begin(judge: Judge) -> None:
    global _judge  # noqa: PLW0603 - a process of a pool has no other place of its own
    _judge = judge
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent:
        wait([parent.sentinel])
        os._exit(1)


def _result(setting: Setting, seeds: Sequence[int]) -> Result:
    return _judge.result(setting, seeds)
