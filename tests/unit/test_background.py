import asyncio

import structlog

from pd_exporter.background import cancel, in_background


async def test_work_goes_on_while_entered_and_ends_after() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with in_background(work, "work"):
        await begun.wait()
        assert not ended.is_set()

    assert ended.is_set()


async def test_work_that_fails_is_logged_and_begun_anew() -> None:
    runs = 0
    again = asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RuntimeError("no luck")
        again.set()
        await asyncio.Event().wait()

    with structlog.testing.capture_logs() as logs:
        async with in_background(work, "work"):
            await asyncio.wait_for(again.wait(), 30)

    assert [(entry["event"], entry["work"]) for entry in logs] == [
        ("background work failed", "work")
    ]


async def test_a_cancellation_that_is_forgotten_is_said_again() -> None:
    forgotten = 0

    async def deaf() -> None:
        nonlocal forgotten
        while forgotten < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                forgotten += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)

    await asyncio.wait_for(cancel([task]), 30)

    assert task.cancelled()
    assert forgotten == 2
