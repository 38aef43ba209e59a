"""The laws' queries, evaluated by a real Prometheus, against the laws on numbers."""

import itertools
import math
import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

import pytest

from pd_exporter.autoscaler import laws
from pd_exporter.autoscaler.promql import Promql, at_least, root
from pd_exporter.policy import REQUIRED_WORKERS, RequiredWorkers
from tests.prometheus import Labels, Prometheus, Sample, labels, prometheus

WHEN = 1_700_000_000_000

FAST = Promql("role:pd_arrivals:rate1m")
SLOW = Promql("role:pd_arrivals:rate5m")
DELIVERIES = Promql("role:pd_deliveries:rate1m")
PENDING = Promql("role:pd_pending_requests:sum")
ACK_PENDING = Promql("role:pd_ack_pending_requests:sum")
BUSY = Promql("role:pd_busy_slots:sum")
PRIOR = Promql("role:pd_service_prior_seconds:max")
SEEN = Promql("role:pd_service_seen:ratio")


@dataclass(frozen=True)
class Case:
    """Values of one role's recorded series; None is absent."""

    fast: float | None
    slow: float | None
    pending: float
    busy: float
    deliveries: float
    prior: float
    seen: float

    def by_name(self) -> Mapping[Promql, float | None]:
        return {
            FAST: self.fast,
            SLOW: self.slow,
            PENDING: self.pending,
            ACK_PENDING: self.busy,
            BUSY: self.busy,
            DELIVERIES: self.deliveries,
            PRIOR: self.prior,
            SEEN: self.seen,
        }

    def service(self) -> float:
        return laws.service_seconds(self.busy, self.deliveries, self.prior, self.seen)


def cases() -> Iterator[tuple[Labels, Case]]:
    # 4.5 is above 4 by chance, at 3 standard deviations, and 5 is beyond; 15 - 1.5 is just 13.5.
    fast = (None, 0.0, 0.1, 4.0, 4.5, 5.0, 15.0, 120.7)
    slow = (None, 0.0, 0.05, 4.0, 13.5, 13.6, 100.0)
    services = itertools.cycle(
        [(6.0, 2.0, 10.0, 0.25), (0.0, 0.3, 1.5, 1.0), (31.7, 0.013, 0.8, 0.0), (5.5, 4.1, 2, 0.7)]
    )
    grid = itertools.product(fast, slow, (0.0, 1.0, 3700.0))
    for number, (arrivals, service) in enumerate(zip(grid, services, strict=False)):
        of = labels(namespace="serving", group=f"case{number}", role="prefill", source="jetstream")
        yield of, Case(*arrivals, *service)


CASES = dict(cases())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    series: dict[tuple[str, Labels], list[Sample]] = {
        (name.text, of): [(WHEN, value)]
        for of, case in CASES.items()
        for name, value in case.by_name().items()
        if value is not None
    }
    with prometheus(tmp_path_factory.mktemp("laws"), series) as running:
        yield running


def compare(
    server: Prometheus, query: Promql, expected: Mapping[Labels, float | None], least: int
) -> None:
    known = {of: value for of, value in expected.items() if value is not None}

    assert len(known) >= least
    assert server.query(query.text, WHEN + 1000) == pytest.approx(known, rel=1e-12, abs=1e-12)


def arrivals(confidence: float) -> Mapping[Labels, float | None]:
    return {of: laws.arrival_rate(case.fast, case.slow, confidence) for of, case in CASES.items()}


@pytest.mark.parametrize("confidence", [0.0, 1.0, 3.0, 1 / 3])
def test_arrivals(server: Prometheus, confidence: float) -> None:
    expected = arrivals(confidence)
    query = laws.arrival_query(FAST, SLOW, confidence)

    compare(server, query, expected, least=150)
    assert sum(value is None for value in expected.values()) == 3
    raised = [
        of for of, case in CASES.items() if case.slow is not None and expected[of] != case.slow
    ]
    assert len(raised) >= 3 * 3


def test_service_seconds(server: Prometheus) -> None:
    query = laws.service_seconds(BUSY, DELIVERIES, PRIOR, SEEN)

    compare(server, query, {of: case.service() for of, case in CASES.items()}, least=150)


def test_lag(server: Prometheus) -> None:
    expected = {of: laws.lag(case.pending, case.busy) for of, case in CASES.items()}

    compare(server, laws.lag(PENDING, ACK_PENDING), expected, least=150)


@pytest.mark.parametrize(
    "parameters",
    [
        REQUIRED_WORKERS,
        RequiredWorkers(headroom=0.0, drain_seconds=0.1 + 0.2, confidence=0.0),
        RequiredWorkers(headroom=1.2345678901, drain_seconds=1234567.0, confidence=2.5),
    ],
    ids=str,
)
@pytest.mark.parametrize("concurrency", [1, 7])
def test_required_workers(
    server: Prometheus, parameters: RequiredWorkers, concurrency: int
) -> None:
    expected = {
        of: None
        if rate is None
        else laws.required_workers(
            rate, CASES[of].service(), CASES[of].pending, concurrency, parameters
        )
        for of, rate in arrivals(parameters.confidence).items()
    }
    query = laws.required_workers(
        laws.arrival_query(FAST, SLOW, parameters.confidence),
        laws.service_seconds(BUSY, DELIVERIES, PRIOR, SEEN),
        PENDING,
        concurrency,
        parameters,
    )

    compare(server, query, expected, least=150)


def test_a_law_needs_all_of_its_series(server: Prometheus) -> None:
    missing = Promql("role:pd_missing:sum")
    query = laws.required_workers(
        laws.arrival_query(FAST, SLOW, 3), missing, PENDING, 1, REQUIRED_WORKERS
    )

    assert server.query(query.text, WHEN + 1000) == {}
    assert server.query(laws.lag(PENDING, missing).text, WHEN + 1000) == {}


def vector(number: float) -> Promql:
    return Promql(f"vector({number!r})")


def value(server: Prometheus, expression: Promql) -> float | None:
    return server.query(expression.text, WHEN).get(labels())


@pytest.mark.parametrize(
    "number", [0.1 + 0.2, 1e-7, 5e-324, 1.7e308, 123456789, 2**53, 3600.0, -1.5, -1e22, 0.0]
)
def test_numbers_are_read_as_they_were_meant(server: Prometheus, number: float) -> None:
    assert value(server, vector(0) + number) == number
    assert value(server, number + vector(0)) == number
    assert value(server, vector(0) - number) == -number


def test_expressions_are_read_as_they_were_meant(server: Prometheus) -> None:
    random = Random(7)  # noqa: S311  the same expressions in each run
    operators = [operator.add, operator.sub, operator.mul, operator.truediv]
    compared = 0

    def tree(depth: int) -> tuple[Promql, float]:
        number = random.choice([-3.0, 0.1, 2.0, 7.25, 1e6, 1e-7])
        if depth == 0:
            return vector(number), number
        operate = random.choice(operators)
        left, low = tree(depth - 1)
        right, high = tree(random.randrange(depth))
        kind = random.randrange(4)
        if high == 0:
            return left, low
        if kind == 0:
            return operate(left, number), operate(low, number)
        if kind == 1 and operate is not operator.truediv:
            return operate(number, right), operate(number, high)
        if kind == 2 and low >= 0:
            return operate(root(left), right), operate(math.sqrt(low), high)
        return operate(left, right), operate(low, high)

    for _ in range(60):
        expression, expected = tree(5)
        assert value(server, expression) == expected, expression
        compared += any(symbol in expression.text for symbol in "+-*/")

    assert compared > 50


def test_a_value_below_the_bound_is_absent(server: Prometheus) -> None:
    assert value(server, at_least(vector(2) * 2, vector(3) + 1)) == 4
    assert value(server, at_least(vector(2) * 2, vector(3) + 1.001)) is None
    assert value(server, at_least(at_least(vector(5), vector(4)), vector(5)) * 2) == 10
