"""The fault matrix: a fault comes and goes while the page is scraped at 5 Hz, each page judged.

Every series of every page has to be what is true in the moment of its scrape. Only the memory of
healthy GPUs changes between scrapes, so that nothing but a fresh reading is right.
"""

import asyncio
import inspect
import time
from dataclasses import dataclass, field

from tests.exposition import Page
from tests.faults.fault import ERRORS, Act, Fault, Saying
from tests.faults.scene import MEMORY, Key, Scene, Series, key

PERIOD_SECONDS = 0.2
BUDGET_SECONDS = 2.0
"""What a scrape may take. Only the first one that meets a hanging call takes so long."""
HEALTHY_PAGES = 2
REFRESHED = "pd_node_source_refreshed_timestamp_seconds"
OWN = ("pd_collector_duration_seconds", "pd_exporter_build_info", "process_", ERRORS, REFRESHED)
"""What is not held against the truth; of these, counters and times are judged by themselves."""


@dataclass
class Outcome:
    """What was seen of a fault; the scrapes count from 1 after the injection and the cure.

    Attributes:
        pages: While it lasted.
        false: What was said that was not so.
        missing: Which other series were absent, though nothing was to keep them.
        gone_at: The first scrape without memory that the fault takes; None where it takes none.
        back_at: The first scrape after the cure that is all that it has to be.
    """

    pages: int = 0
    false: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    gone_at: int | None = None
    back_at: int = 0


class Matrix:
    """One fault on one node."""

    def __init__(self, scene: Scene, fault: Fault) -> None:
        self.outcome = Outcome()
        self._counters: Series = {}
        self._counted: set[tuple[str, str]] = set()
        self._scene = scene
        self._fault = fault
        self._refreshed: Series = {}
        self._next = 0.0

    async def healthy(self) -> None:
        """All is right, from the first page on."""
        for _ in range(HEALTHY_PAGES):
            page = await self._scrape(counting=False)
            truth = self._scene.world.series()
            self._judge(page, truth, truth, "before the injection")

    async def last(self) -> None:
        """Inject the fault, and judge the pages while it lasts."""
        fault, scene = self._fault, self._scene
        scene.remember()
        await _do(fault.inject, scene)
        done = False
        while not done or self.outcome.pages < fault.pages:
            page = await self._scrape(counting=True)
            self.outcome.pages = number = self.outcome.pages + 1
            before, after = scene.before.series(), fault.page(scene.world.series())
            where = f"scrape {number} after the injection"
            self._note_gone(page, before, after, number)
            if done:
                self._judge(page, after, after, where)
            else:
                done = self._judge(page, before, after, where, fault.passing, at_once=fault.at_once)
            if not done and number >= fault.notice:
                self._false(where, f"not yet as it has to be: {_difference(page, after)}")
                return
        self._check_problem()

    async def heal(self) -> None:
        """Cure the fault, and judge the pages until all is back, and one more."""
        fault, scene = self._fault, self._scene
        scene.remember()
        await _do(fault.cure, scene)
        if fault.ends_process:
            self._counters.clear()
        for number in range(1, fault.back + 2):
            page = await self._scrape(counting=not self.outcome.back_at)
            before, after = fault.page(scene.before.series()), scene.world.series()
            back, where = self.outcome.back_at, f"scrape {number} after the cure"
            if back:
                self._judge(page, after, after, where)
                break
            if self._judge(page, before, after, where, fault.passing):
                self.outcome.back_at = number
            elif number == fault.back:
                self._false(where, f"not back: {_difference(page, after)}")
                break
        for uuid, reason in set(fault.counts) - self._counted:
            self._false("a counter", f"{reason} of {uuid} has not counted")

    def _check_problem(self) -> None:
        """Check that the landing page names what is wrong."""
        (told,) = self._snapshot.outcomes
        problems = {(each.subject, each.problem.reason) for each in told.readings if each.problem}
        if self._fault.problem is not None and self._fault.problem not in problems:
            self._false("the landing page", f"names {problems}")

    def _note_gone(self, page: Series, before: Series, after: Series, number: int) -> None:
        """Note the first scrape without the memory that the fault takes."""
        taken = [each for each in before if each[0] in MEMORY and each not in after]
        if taken and self.outcome.gone_at is None and not any(each in page for each in taken):
            self.outcome.gone_at = number

    async def _scrape(self, *, counting: bool) -> Series:
        """Scrape when it is time, check counters and times, and give the rest of the page."""
        clock = asyncio.get_running_loop().time
        self._next = max(self._next + PERIOD_SECONDS, self._next or clock())
        while self._next < clock():
            self._next += PERIOD_SECONDS
        await asyncio.sleep(self._next - clock())
        self._scene.live()
        self._snapshot = await self._scene.node.snapshot(BUDGET_SECONDS)
        page = Page(self._snapshot)
        found = {key(each.name, **each.labels): each.value for each in page.samples}
        self._count(found, counting=counting)
        times = {each: found[each] for each in found if each[0] == REFRESHED}
        for series, at in times.items():
            if not self._refreshed.get(series, 0) <= at <= time.time():
                self._false("a time", f"{series} is {at}")
        self._refreshed = times
        return {each: value for each, value in found.items() if not each[0].startswith(OWN)}

    def _count(self, page: Series, *, counting: bool) -> None:
        """Errors count where they happen, and stay counted while the GPU is there."""
        counters = {series: value for series, value in page.items() if series[0] == ERRORS}
        there = {dict(labels)["uuid"] for name, labels in page if name == "pd_gpu_up"}
        for series in self._counters.keys() - counters.keys():
            if dict(series[1])["uuid"] in there:
                self._false("a counter", f"{_words(series)} is gone")
        for series, value in counters.items():
            labels = dict(series[1])
            rose = value - self._counters.get(series, 0)
            due = counting and (labels["uuid"], labels["reason"]) in self._fault.counts
            if rose > 0:
                self._counted.add((labels["uuid"], labels["reason"]))
            if rose < 0 or (rose > 0 and not due):
                self._false("a counter", f"{labels} went up by {rose:g}")
        self._counters = counters

    def _judge(
        self,
        page: Series,
        before: Series,
        after: Series,
        where: str,
        passing: tuple[Saying, ...] = (),
        *,
        at_once: bool = False,
    ) -> bool:
        """Judge a page on the way from one state to another; whether it is there."""

        def may_pass(series: Key, value: float | None) -> bool:
            return any(each.value == value and each.fits(series) for each in passing)

        for series, value in page.items():
            old = None if at_once and series[0] in MEMORY else before.get(series)
            if value not in (old, after.get(series)) and not may_pass(series, value):
                self._false(where, f"{_words(series)} is {value:.17g}")
        for series, value in after.items():
            unharmed = before.get(series) == value and not may_pass(series, None)
            if unharmed and series not in page:
                self.outcome.missing.append(f"{where}: {_words(series)}")
        return page == after

    def _false(self, where: str, what: str) -> None:
        self.outcome.false.append(f"{where}: {what}")


async def _do(act: Act, scene: Scene) -> None:
    done = act(scene)
    if inspect.isawaitable(done):
        await done


def _words(series: Key) -> str:
    return f"{series[0]}{dict(sorted(series[1]))}"


def _difference(page: Series, wanted: Series) -> str:
    lacks = [f"{_words(each)} should be {wanted[each]}" for each in wanted if each not in page]
    other = [
        f"{_words(each)} is {value}" for each, value in page.items() if wanted.get(each) != value
    ]
    return "; ".join((lacks + other)[:6])
