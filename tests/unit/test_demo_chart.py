"""The bar chart of the demo's live view."""

from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.demo.shown.chart import chart

_VALUES = st.lists(st.none() | st.floats(0, 1e9))


def test_bars_are_scaled_to_the_highest() -> None:
    assert chart([0, 4, 8, None, 16], width=6, height=2) == ["    █ ", " ▄█ █ "]


def test_what_is_not_zero_is_seen() -> None:
    assert chart([1, 1000], width=2, height=1) == ["▁█"]


def test_only_the_last_values_are_drawn() -> None:
    assert chart([9, 9, 1, 0], width=2, height=1) == ["█ "]


@given(_VALUES, st.integers(1, 50), st.integers(1, 20))
def test_it_always_has_the_size_asked_for(
    values: list[float | None], width: int, height: int
) -> None:
    lines = chart(values, width, height)

    assert [len(line) for line in lines] == [width] * height
