"""The queue's replay, against a slow one that moves objects about, and against queueing theory."""

import math
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from statistics import fmean
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.autoscaler.workers import Workers
from pd_exporter.autoscaler.workload import service_by_distribution


class View(NamedTuple):
    """What is to be seen at one moment."""

    replicas: int
    arrived: int
    started: int
    serving: int
    busy_slots: int
    in_service: int


class Order(NamedTuple):
    """What is done at one moment: look, and scale unless `replicas` is None."""

    time: float
    replicas: int | None


@dataclass
class Slot:
    request: int | None = None
    ends: float = -math.inf
    idle_since: float = -math.inf


@dataclass
class Worker:
    begin: float
    slots: list[Slot]


@dataclass
class Oracle:
    """The same service by explicit workers, slots and a queue, moment by moment.

    Within one moment: what ends has ended, who has started up serves, who arrives waits; then
    orders are carried out; only then the queue moves. It moves to the slot that has been idle for
    longest, as a broker answers its waiting pull requests in turn; of slots idle since the same
    moment to that of the oldest worker.
    """

    arrivals: Sequence[float]
    service: Sequence[float]
    concurrency: int
    startup: float
    staff: list[Worker] = field(default_factory=list)
    leaving: list[Worker] = field(default_factory=list)
    queue: deque[int] = field(default_factory=deque)
    starts: list[float] = field(default_factory=list)
    arrived: int = 0
    finished: int = 0

    def run(self, initial: int, orders: Sequence[Order]) -> list[View]:
        self.starts = [math.nan] * len(self.arrivals)
        self._hire(initial, -math.inf)
        views = []
        pending = deque(orders)
        now = -math.inf
        while (now := self._next(now, pending)) < math.inf:
            for worker in self.staff + self.leaving:
                for slot in worker.slots:
                    if slot.request is not None and slot.ends <= now:
                        self._finish(slot)
            while self.arrived < len(self.arrivals) and self.arrivals[self.arrived] <= now:
                self.queue.append(self.arrived)
                self.arrived += 1
            while pending and pending[0].time == now:
                order = pending.popleft()
                views.append(self._view(now))
                if order.replicas is not None:
                    self._scale(order.replicas, now)
                    views.append(self._view(now))
            self._move_queue(now)
        return views

    def _next(self, now: float, pending: deque[Order]) -> float:
        """The next moment at which anything happens."""
        moments = [order.time for order in pending]
        moments += self.arrivals[self.arrived :]
        moments += [worker.begin for worker in self.staff]
        moments += [slot.ends for worker in self.staff + self.leaving for slot in worker.slots]
        return min((moment for moment in moments if moment > now), default=math.inf)

    def _hire(self, workers: int, begin: float) -> None:
        for _ in range(workers):
            slots = [Slot(idle_since=begin) for _ in range(self.concurrency)]
            self.staff.append(Worker(begin, slots))

    def _scale(self, replicas: int, now: float) -> None:
        self._hire(replicas - len(self.staff), now + self.startup)
        while len(self.staff) > replicas:
            self.leaving.append(self.staff.pop())

    def _finish(self, slot: Slot) -> None:
        slot.request, slot.idle_since = None, slot.ends
        self.finished += 1

    def _move_queue(self, now: float) -> None:
        while self.queue:
            idle = [
                (slot.idle_since, index, slot)
                for index, worker in enumerate(self.staff)
                for slot in worker.slots
                if worker.begin <= now and slot.request is None
            ]
            if not idle:
                return
            slot = min(idle, key=lambda choice: choice[:2])[2]
            request = self.queue.popleft()
            self.starts[request] = now
            slot.request, slot.ends = request, now + self.service[request]
            if slot.ends == now:
                self._finish(slot)

    def _view(self, now: float) -> View:
        def held(workers: list[Worker]) -> int:
            return sum(slot.request is not None for worker in workers for slot in worker.slots)

        in_service = held(self.staff) + held(self.leaving)
        assert self.arrived == len(self.queue) + in_service + self.finished
        return View(
            len(self.staff),
            self.arrived,
            self.arrived - len(self.queue),
            sum(worker.begin <= now for worker in self.staff),
            held(self.staff),
            in_service,
        )


class Case(NamedTuple):
    arrivals: list[float]
    service: list[float]
    concurrency: int
    startup: float
    initial: int
    orders: list[Order]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A service and its orders; half of all cases live on a grid, where everything coincides."""
    if draw(st.booleans(), label="coarse"):
        seconds = st.integers(0, 24).map(lambda halves: halves / 2)
    else:
        seconds = st.floats(0, 12)
    arrivals = sorted(draw(st.lists(seconds, min_size=1, max_size=24), label="arrivals"))
    size = len(arrivals)
    times = sorted(draw(st.lists(seconds.map(lambda time: 2 * time), max_size=10)))
    return Case(
        arrivals,
        draw(st.lists(seconds, min_size=size, max_size=size), label="service"),
        draw(st.integers(1, 4), label="concurrency"),
        draw(seconds, label="startup"),
        draw(st.integers(0, 4), label="initial"),
        [Order(time, draw(st.none() | st.integers(0, 5))) for time in times],
    )


def view(workers: Workers, now: float) -> View:
    return View(
        workers.replicas,
        workers.arrived(now),
        workers.started,
        workers.serving(now),
        workers.busy_slots(now),
        workers.in_service(now),
    )


def replay(case: Case) -> tuple[Workers, list[View]]:
    workers = Workers(
        case.arrivals,
        case.service,
        concurrency=case.concurrency,
        startup=case.startup,
        initial=case.initial,
    )
    views = []
    for time, replicas in case.orders:
        workers.advance(time)
        views.append(view(workers, time))
        if replicas is not None:
            workers.resize(replicas, time)
            views.append(view(workers, time))
    workers.advance(math.inf)
    return workers, views


@given(cases())
def test_it_is_what_explicit_workers_do(case: Case) -> None:
    oracle = Oracle(case.arrivals, case.service, case.concurrency, case.startup)
    expected = oracle.run(case.initial, case.orders)

    workers, views = replay(case)

    assert views == expected
    assert list(workers.starts) == pytest.approx(oracle.starts, abs=0, rel=0, nan_ok=True)
    assert workers.started == sum(not math.isnan(start) for start in workers.starts)


@pytest.mark.parametrize("seed", range(8))
def test_it_is_what_many_explicit_workers_do(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - to be reproduced
    case = Case(
        sorted(random.randrange(240) / 4 for _ in range(250)),
        [random.randrange(1, 40) / 4 for _ in range(250)],
        concurrency=3,
        startup=2.5,
        initial=6,
        orders=[Order(time, random.randrange(1, 10)) for time in range(2, 60, 3)],
    )
    oracle = Oracle(case.arrivals, case.service, case.concurrency, case.startup)
    expected = oracle.run(case.initial, case.orders)

    workers, views = replay(case)

    assert views == expected
    assert list(workers.starts) == oracle.starts


@given(cases())
def test_nothing_is_lost_served_twice_or_served_out_of_turn(case: Case) -> None:
    workers, views = replay(case)

    taken = list(workers.starts[: workers.started])
    ends = [start + seconds for start, seconds in zip(taken, case.service, strict=False)]
    assert all(start >= arrival for start, arrival in zip(taken, case.arrivals, strict=False))
    assert taken == sorted(taken)
    assert all(math.isnan(start) for start in workers.starts[workers.started :])

    looks = [order for order in case.orders for _ in range(1 + (order.replicas is not None))]
    for (now, _), seen in zip(looks, views, strict=True):
        finished = sum(end <= now for end in ends[: seen.started])
        assert seen.started == sum(start < now for start in taken)
        assert seen.arrived == (seen.arrived - seen.started) + seen.in_service + finished
        assert 0 <= seen.busy_slots <= seen.serving * case.concurrency
        assert seen.busy_slots <= seen.in_service
        assert seen.serving <= seen.replicas
    if all(order.replicas is None for order in case.orders):
        slots = case.initial * case.concurrency
        held = [sum(taken[n] <= start < ends[n] for n in range(len(taken))) for start in taken]
        assert max(held, default=0) <= slots


@given(cases())
def test_how_often_one_looks_changes_nothing(case: Case) -> None:
    looked, _ = replay(case)
    scaled = [order for order in case.orders if order.replicas is not None]

    unseen, _ = replay(case._replace(orders=scaled))

    assert unseen.starts.tobytes() == looked.starts.tobytes()


# --- moments that coincide, by hand ---------------------------------------------------------------


def few(
    arrivals: list[float],
    service: float,
    *,
    concurrency: int = 1,
    startup: float = 10,
    initial: int = 1,
) -> Workers:
    return Workers(
        arrivals,
        [service] * len(arrivals),
        concurrency=concurrency,
        startup=startup,
        initial=initial,
    )


def test_what_would_start_just_then_waits_for_what_is_done_at_that_moment() -> None:
    workers = few([5], 1)

    workers.advance(5)

    assert (workers.arrived(5), workers.started, workers.in_service(5)) == (1, 0, 0)
    workers.resize(0, 5)
    workers.advance(100)
    assert workers.started == 0
    workers.resize(1, 100)
    workers.advance(110)
    assert workers.started == 0
    workers.advance(110.5)
    assert list(workers.starts) == [110]


def test_what_ends_just_then_is_held_no_more() -> None:
    workers = few([1, 1], 4, concurrency=2)
    workers.advance(5)

    assert workers.in_service(4.99) == workers.busy_slots(4.99) == 2
    assert workers.in_service(5) == workers.busy_slots(5) == 0


def test_a_new_worker_serves_after_its_startup() -> None:
    workers = few([0, 1, 2], 100)
    workers.advance(3)
    workers.resize(3, 3)

    assert (workers.replicas, workers.serving(3), workers.serving(12.99)) == (3, 1, 1)
    assert workers.serving(13) == 3
    assert workers.busy_slots(3) == workers.busy_slots(12.99) == workers.busy_slots(13) == 1
    workers.advance(math.inf)
    assert list(workers.starts) == [0, 13, 13]


def test_who_is_not_needed_any_more_finishes_what_it_holds_and_takes_no_more() -> None:
    workers = few([0, 1, 2, 3], 10, initial=2)
    workers.advance(4)
    workers.resize(1, 4)

    assert (workers.busy_slots(4), workers.in_service(4)) == (1, 2)
    assert workers.in_service(10.5) == 1  # the oldest stays, its request ended at 10
    workers.advance(math.inf)
    assert list(workers.starts) == [0, 1, 10, 20]


def test_those_still_starting_are_given_up_first() -> None:
    workers = few([0, 1, 2], 100, initial=2)
    workers.advance(3)
    workers.resize(4, 3)
    workers.resize(2, 4)

    assert (workers.replicas, workers.busy_slots(4), workers.in_service(4)) == (2, 2, 2)
    workers.advance(math.inf)
    assert list(workers.starts) == [0, 1, 100]


def test_asked_for_again_it_starts_anew() -> None:
    workers = few([0, 1], 100)
    workers.advance(2)
    workers.resize(2, 2)
    workers.resize(1, 11)
    workers.resize(2, 11)
    workers.advance(math.inf)

    assert list(workers.starts) == [0, 21]


def test_the_slot_that_is_idle_for_longest_takes_the_next() -> None:
    # The newer worker was idle for longer when the third came, so it has it, and leaves with it.
    workers = Workers([0, 0, 5], [4, 2, 10], concurrency=1, startup=0, initial=2)
    workers.advance(6)
    workers.resize(1, 6)

    assert (workers.busy_slots(6), workers.in_service(6)) == (0, 1)


# --- queueing theory ------------------------------------------------------------------------------


def poisson(rate: float, requests: int, seed: int) -> "array[float]":
    random = Random(seed)  # noqa: S311 - to be reproduced
    return array("d", accumulate(random.expovariate(rate) for _ in range(requests)))


def mean_wait(arrivals: "array[float]", service: "array[float]", slots: int, each: int) -> float:
    workers = Workers(arrivals, service, concurrency=each, startup=0, initial=slots // each)
    workers.advance(math.inf)
    return fmean(start - arrival for start, arrival in zip(workers.starts, arrivals, strict=True))


def erlang_c(servers: int, offered: float) -> float:
    """The chance that a request has to wait (Erlang, 1917)."""
    busy = offered**servers / math.factorial(servers) * servers / (servers - offered)
    return busy / (sum(offered**k / math.factorial(k) for k in range(servers)) + busy)


@pytest.mark.parametrize(("slots", "each"), [(1, 1), (4, 1), (4, 4), (12, 3)])
def test_random_requests_wait_as_erlang_says(slots: int, each: int) -> None:
    requests, use = 100_000, 0.75
    arrivals = poisson(slots * use, requests, seed=1)
    random = Random(2)  # noqa: S311 - to be reproduced
    service = array("d", (random.expovariate(1) for _ in range(requests)))

    expected = erlang_c(slots, slots * use) / (slots - slots * use)

    assert mean_wait(arrivals, service, slots, each) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("variation", [0, 0.5, 1.5])
def test_one_slot_waits_as_pollaczek_and_khinchine_say(variation: float) -> None:
    requests, rate, mean = 100_000, 0.35, 2.0
    service = service_by_distribution(requests, mean, variation, seed=3)

    waits = mean_wait(poisson(rate, requests, seed=4), service, 1, 1)

    use = rate * mean
    expected = use * mean * (1 + variation**2) / (2 * (1 - use))
    assert waits == pytest.approx(expected, rel=0.06)


def test_nobody_waits_where_workers_never_run_out() -> None:
    arrivals = poisson(5, 2000, seed=5)
    service = service_by_distribution(2000, 3, 2, seed=6)

    assert mean_wait(arrivals, service, 400, 4) == 0
