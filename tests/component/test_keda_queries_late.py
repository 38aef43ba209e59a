"""Queries of ScaledObjects for rules that come late, asked of a real Prometheus as KEDA asks."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from pd_exporter.rules.forms import LATE_SECONDS
from tests import keda_queries_history as history
from tests.keda_queries import Asked
from tests.keda_queries_expected import (
    ASKED,
    ENDS,
    EVERY,
    EXPECTED,
    NEIGHBOURS,
    figure,
    ours,
)
from tests.keda_queries_service import Fate, Service
from tests.keda_queries_store import Store, store_in

pytestmark = pytest.mark.timeout(300)

LATE = [asked for asked in ASKED if asked.late]
LOOKBACK_SECONDS = 300
# Where a worker is first seen to serve it is counted an evaluation later, and so long not at all:
# a little of it stays in the hour's mean service time.
NEAR = 0.03


@dataclass(frozen=True)
class Late:
    """A history.

    Attributes:
        store: The whole of it.
        seen: What was answered each 15 s while it went on, by ScaledObject.
    """

    store: Store
    seen: Mapping[str, list[tuple[int, bytes]]]


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Late]:
    seen: dict[str, list[tuple[int, bytes]]] = {str(asked): [] for asked in LATE}
    services = [each for each in EVERY if each.fate in {Fate.NONE, *ENDS}]
    with store_in(tmp_path_factory.mktemp("late")) as running:
        for time in history.late(running, services):
            if history.LAST <= time <= history.LATE_UNTIL:
                for asked in LATE:
                    seen[str(asked)].append(asked.ask(running, time))
        yield Late(running, seen)


@pytest.mark.parametrize("asked", LATE, ids=str)
def test_there_is_one_number_all_the_time(late: Late, asked: Asked) -> None:
    answers = late.seen[str(asked)]
    values = list(map(asked.read, answers))

    assert {len(json.loads(body)["data"]["result"]) for _, body in answers} == {1}
    assert values == [pytest.approx(ours(asked), rel=NEAR)] * 33
    assert asked.climb(values[0], seconds=300) == EXPECTED[asked.signal].replicas


@pytest.mark.parametrize("other", NEIGHBOURS, ids=lambda each: f"{each.namespace}-{each.group}")
@pytest.mark.parametrize("asked", LATE, ids=str)
def test_other_services_have_numbers_of_their_own(late: Late, asked: Asked, other: Service) -> None:
    value = asked.value(late.store, history.LAST + 10, (other.namespace, other.group))

    assert value == pytest.approx(figure(asked.signal, other), rel=NEAR)


def is_recorded(asked: Asked) -> bool:
    """Whether its number is a recorded one, not one of scraped series."""
    return f"< {LATE_SECONDS:g}" in asked.query


@pytest.mark.parametrize("fate", ENDS)
@pytest.mark.parametrize("asked", LATE, ids=str)
def test_a_number_is_gone_in_a_minute_or_as_late_as_its_rules_may_renew_it(
    late: Late, asked: Asked, fate: Fate
) -> None:
    of, whole = ("default", fate.value), pytest.approx(ours(asked), rel=NEAR)
    # A rule takes what another has recorded up to the bound before, and the query takes as long.
    bound = 2 * round(LATE_SECONDS) if is_recorded(asked) else 60

    assert asked.value(late.store, history.LAST + 10, of) == whole
    if fate in EXPECTED[asked.signal].ending:
        assert asked.finds_nothing(late.store, history.LAST + bound, of)
    else:
        assert asked.value(late.store, history.LAST + bound, of) == whole


@pytest.mark.parametrize("asked", LATE, ids=str)
def test_what_was_recorded_is_gone_some_minutes_after_rules_have_stopped(
    late: Late, asked: Asked
) -> None:
    # A service time may be as old as Prometheus looks back.
    bound = round(LATE_SECONDS) if is_recorded(asked) else LOOKBACK_SECONDS + 1
    gone = history.LATE_UNTIL + bound

    assert asked.value(late.store, gone - 1) == pytest.approx(ours(asked), rel=NEAR)
    assert asked.finds_nothing(late.store, gone) == ("role:" in asked.query)
