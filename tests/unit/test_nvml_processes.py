from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.nvml.device import Process
from pd_exporter.nvml.readings import merged

LISTS = st.lists(st.lists(st.builds(Process, st.integers(1, 5), st.none() | st.integers(0, 9))))


def test_lists_are_united_by_pid() -> None:
    compute = [Process(7, 100), Process(3, None), Process(5, 0)]
    mps = [Process(8, 5), Process(3, None)]

    united = merged([compute, mps])

    assert united == (Process(3, None), Process(5, 0), Process(7, 100), Process(8, 5))


def test_a_process_in_two_lists_has_its_memory_once() -> None:
    assert merged([[Process(7, 100)], [Process(7, 90)]]) == (Process(7, 100),)
    assert merged([[Process(7, None)], [Process(7, 90)]]) == (Process(7, 90),)
    assert merged([[Process(7, 0)], [Process(7, None)]]) == (Process(7, 0),)


@given(LISTS)
def test_what_is_not_available_never_becomes_a_number(lists: list[list[Process]]) -> None:
    told = [process for processes in lists for process in processes]

    for process in merged(lists):
        mine = {other.used for other in told if other.pid == process.pid}
        assert process.used in mine
        assert (process.used is None) == (mine == {None})


@given(LISTS)
def test_the_order_of_lists_does_not_matter(lists: list[list[Process]]) -> None:
    assert merged(lists) == merged(reversed(lists))
