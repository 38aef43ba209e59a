import asyncio
from collections.abc import Sequence

import pytest
import structlog

from pd_exporter.reading import Problem, Reading
from pd_exporter.samples import Desc, Kind
from pd_exporter.scrape import Outcome, Scraper, Snapshot
from tests.exposition import Page

GOOD = Desc("pd_good", "Good.", Kind.GAUGE, ("subject",))
OTHER = Desc("pd_other", "Other.", Kind.GAUGE, ("subject",))
BROKEN = Problem("broken", "It broke.", "Mend it.")


def reading(subject: str = "a", value: float = 1, problem: Problem | None = None) -> Reading:
    return Reading(subject, [GOOD.sample(value, {"subject": subject})], problem)


class Working:
    """A collector that gives readings; each run has its number as value."""

    name = "working"
    metrics = (GOOD,)

    def __init__(self, *readings: Reading) -> None:
        self.readings = readings
        self.runs = 0
        self.deadlines: list[float] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def collect(self, deadline: float) -> Sequence[Reading]:
        self.runs += 1
        self.deadlines.append(deadline)
        run = self.runs
        await self.gate.wait()
        return self.readings or (reading(value=run),)


class Hanging:
    """A collector that never ends; the stubborn one not even when it is told to."""

    name = "hanging"
    metrics = (OTHER,)

    def __init__(self, *, stubborn: bool = False) -> None:
        self.runs = 0
        self.released = asyncio.Event()
        self._stubborn = stubborn

    async def collect(self, deadline: float) -> Sequence[Reading]:
        self.runs += 1
        while not self.released.is_set():
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                if not self._stubborn:
                    raise
        return ()


class Failing:
    name = "failing"
    metrics = (OTHER,)

    async def collect(self, deadline: float) -> Sequence[Reading]:
        raise RuntimeError("no luck")


class Lying:
    """A collector that gives something it must not."""

    name = "lying"
    metrics = (OTHER,)

    def __init__(self, *readings: Reading) -> None:
        self.readings = readings

    async def collect(self, deadline: float) -> Sequence[Reading]:
        return self.readings


async def test_a_snapshot_has_values_and_how_each_collector_did() -> None:
    page = Page(await Scraper([Working()]).scrape(5))

    assert page.value("pd_good", subject="a") == 1
    assert page.value("pd_collector_success", collector="working") == 1
    assert 0 <= page.value("pd_collector_duration_seconds", collector="working") < 5
    assert page.value("pd_exporter_build_info") == 1
    assert page.value("process_resident_memory_bytes") > 0


@pytest.mark.parametrize(
    "bad",
    [
        Failing(),
        Lying(reading()),
        Lying(*(Reading(str(n), [OTHER.sample(n, {"subject": "x"})]) for n in range(2))),
    ],
    ids=["raises", "gives a metric that is not its own", "gives a series twice"],
)
async def test_a_broken_collector_costs_only_its_own_series(bad: Failing | Lying) -> None:
    page = Page(await Scraper([Working(), bad]).scrape(5))

    assert page.value("pd_good") == 1
    assert page.get("pd_other") is None
    assert page.value("pd_collector_success", collector="working") == 1
    assert page.value("pd_collector_success", collector=bad.name) == 0


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_hanging_collector_costs_only_its_own_series(stubborn: bool) -> None:
    hanging = Hanging(stubborn=stubborn)
    scraper = Scraper([hanging, Working()])

    page = Page(await scraper.scrape(0.2))

    assert page.value("pd_good") == 1
    assert page.value("pd_collector_success", collector="hanging") == 0
    assert page.value("pd_collector_duration_seconds", collector="hanging") >= 0.2
    hanging.released.set()


async def test_a_collector_that_outlives_its_time_is_neither_waited_for_nor_started_again() -> None:
    hanging = Hanging(stubborn=True)
    scraper = Scraper([hanging, Working()])
    await scraper.scrape(0.05)

    page = Page(await scraper.scrape(3600))

    assert page.value("pd_good") == 2
    assert page.value("pd_collector_success", collector="hanging") == 0
    assert hanging.runs == 1
    hanging.released.set()

    async def freed() -> bool:
        return Page(await scraper.scrape(5)).value("pd_collector_success", collector="hanging") == 1

    while not await freed():
        await asyncio.sleep(0)
    assert hanging.runs == 2


async def test_scrapes_at_the_same_time_share_a_run() -> None:
    working = Working()
    working.gate.clear()
    scraper = Scraper([working])
    scrapes = [asyncio.create_task(scraper.scrape(5)) for _ in range(10)]
    await asyncio.sleep(0)
    working.gate.set()

    values = {Page(snapshot).value("pd_good") for snapshot in await asyncio.gather(*scrapes)}

    assert values == {1}
    assert working.runs == 1


async def test_a_scrape_never_shows_a_run_that_ended_before_it_began() -> None:
    working, hanging = Working(), Hanging()
    scraper = Scraper([working, hanging])
    first = asyncio.create_task(scraper.scrape(5))
    while not working.runs:
        await asyncio.sleep(0)
    await asyncio.sleep(0)  # the working one ends, the hanging one keeps the first scrape waiting

    second = Page(await scraper.scrape(0.1))
    hanging.released.set()

    assert second.value("pd_good") == 2
    assert Page(await first).value("pd_good") == 1


async def test_an_impatient_scrape_does_not_depend_on_a_patient_one() -> None:
    working = Working()
    scraper = Scraper([working])
    patient = asyncio.create_task(scraper.scrape(10))
    await asyncio.sleep(0)

    await scraper.scrape(1)
    await patient

    patient_deadline, impatient_deadline = working.deadlines
    assert impatient_deadline < patient_deadline - 5


async def test_a_patient_scrape_does_not_share_an_impatient_one_s_fate() -> None:
    hanging = Hanging()
    scraper = Scraper([hanging])
    impatient = asyncio.create_task(scraper.scrape(0.05))
    await asyncio.sleep(0)
    patient = asyncio.create_task(scraper.scrape(30))

    assert Page(await impatient).value("pd_collector_success", collector="hanging") == 0
    hanging.released.set()
    assert Page(await patient).value("pd_collector_success", collector="hanging") == 1


async def test_the_collector_s_deadline_is_before_the_scrape_s_end() -> None:
    working = Working()

    await Scraper([working]).scrape(10)
    ended = asyncio.get_running_loop().time()

    assert working.deadlines[0] < ended + 10 - 0.2
    assert working.deadlines[0] > ended


async def test_a_metric_belongs_to_one_collector() -> None:
    with pytest.raises(ValueError, match="one collector"):
        Scraper([Failing(), Hanging()])


async def test_problems_are_logged_when_they_come_change_and_go_and_kept_for_the_page() -> None:
    working = Working(reading())
    scraper = Scraper([working])

    async def scrape(*readings: Reading) -> tuple[list[str], Snapshot]:
        working.readings = readings
        with structlog.testing.capture_logs() as logs:
            snapshot = await scraper.scrape(5)
        return [f"{entry['event']} {entry.get('reason')}" for entry in logs], snapshot

    assert (await scrape(reading()))[0] == []
    assert (await scrape(reading(problem=BROKEN)))[0] == ["not read broken"]
    assert (await scrape(reading(problem=BROKEN)))[0] == []
    worse = Problem("worse", "It got worse.", "Mend it soon.")
    assert (await scrape(reading(problem=worse)))[0] == ["not read worse"]
    logs, snapshot = await scrape(reading())
    assert logs == ["read again worse"]
    assert snapshot.past["working", "a"].problem == worse
    _, snapshot = await scrape(reading("b"))
    assert not snapshot.past, "a subject that is gone takes its problem with it"


def test_an_outcome_without_readings_is_a_failure_by_its_problem() -> None:
    page = Page(Snapshot([Outcome("gpu", 0.5, problem=BROKEN)]))

    assert page.value("pd_collector_success", collector="gpu") == 0
    assert page.value("pd_collector_duration_seconds", collector="gpu") == 0.5
