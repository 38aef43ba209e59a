import pytest

from pd_exporter.kube.pace import Backoff, Pace


def test_pauses_double_up_to_the_longest_and_begin_anew() -> None:
    backoff = Backoff(Pace(first_pause=1, longest_pause=60, chance=lambda: 1.0))

    assert [backoff.next() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    backoff.reset()
    assert backoff.next() == 1


def test_no_number_of_tries_is_too_many() -> None:
    backoff = Backoff(Pace(chance=lambda: 1.0))

    assert {backoff.next() for _ in range(5000)} <= {1, 2, 4, 8, 16, 32, 60}


@pytest.mark.parametrize(("chance", "pause"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_a_pause_is_drawn_from_its_upper_half(chance: float, pause: float) -> None:
    assert Backoff(Pace(chance=lambda: chance)).next() == pause


def test_what_the_server_asks_for_comes_on_top_within_reason() -> None:
    backoff = Backoff(Pace(first_pause=1, longest_obeyed=300, chance=lambda: 1.0))

    assert backoff.next(asked_for=10) == 11
    assert backoff.next(asked_for=86_400) == 302


def test_one_thing_may_go_wrong_now_and_then() -> None:
    backoff = Backoff(Pace())
    lasting = []
    for _ in range(3):
        lasting.append(backoff.lasting)
        backoff.next()

    assert lasting == [False, False, True]


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 300), (1.0, 600)])
def test_watches_last_five_to_ten_minutes(chance: float, seconds: int) -> None:
    assert Pace(chance=lambda: chance).watch_seconds() == seconds
