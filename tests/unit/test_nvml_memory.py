import pytest
from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.nvml.device import Memory
from pd_exporter.nvml.library import RawMemory
from pd_exporter.nvml.memory import TOLERANCE_BYTES, ImplausibleMemoryError, counted

MIB = 1 << 20
GIB = 1 << 30
TOTAL = 80 * GIB


@pytest.mark.parametrize(
    ("raw", "memory"),
    [
        (RawMemory(100 * GIB, 60 * GIB, 39 * GIB, GIB), Memory(100 * GIB, 60 * GIB, 39 * GIB, GIB)),
        (RawMemory(100 * GIB, 61 * GIB, 39 * GIB, GIB), Memory(100 * GIB, 60 * GIB, 39 * GIB, GIB)),
        (RawMemory(TOTAL, 0, TOTAL, 0), Memory(TOTAL, 0, TOTAL, 0)),
        (RawMemory(TOTAL, GIB, TOTAL - GIB, None), Memory(TOTAL, GIB, TOTAL - GIB, None)),
        (RawMemory(TOTAL, TOTAL, 0, 0), Memory(TOTAL, TOTAL, 0, 0)),
    ],
    ids=["apart", "within", "empty", "untold", "full"],
)
def test_used_is_what_processes_have_allocated(raw: RawMemory, memory: Memory) -> None:
    assert counted(raw) == memory


@pytest.mark.parametrize(
    "raw",
    [
        RawMemory(0, 0, 0, 0),
        RawMemory(0, 0, 0, None),
        RawMemory(TOTAL, TOTAL + 1, 0, None),
        RawMemory(TOTAL, 0, TOTAL + 1, 0),
        RawMemory(TOTAL, GIB, GIB, GIB),
        RawMemory(TOTAL, GIB, GIB, None),
        RawMemory(TOTAL, 0, TOTAL, GIB),
        RawMemory(TOTAL, (1 << 64) - 1, 0, None),
    ],
)
def test_numbers_that_do_not_add_up_are_no_memory(raw: RawMemory) -> None:
    with pytest.raises(ImplausibleMemoryError, match="does not add up"):
        counted(raw)


@given(
    used=st.integers(0, TOTAL),
    free=st.integers(0, TOTAL),
    reserved=st.integers(0, TOTAL),
    off=st.integers(-TOLERANCE_BYTES, TOLERANCE_BYTES),
    within=st.booleans(),
)
def test_both_ways_to_count_give_one_and_the_same(
    used: int, free: int, reserved: int, off: int, within: bool
) -> None:
    total = max(1, used + free + reserved)
    told = used + reserved if within else used
    off = max(off, -free)

    memory = counted(RawMemory(total, told, min(total, free + off), reserved))

    assert memory.total == total
    # Where the two ways differ by no more than the tolerance, neither can be told from the other.
    assert abs(memory.used - used) <= (
        2 * TOLERANCE_BYTES if reserved <= 2 * TOLERANCE_BYTES else 0
    )


@given(
    st.integers(0, 1 << 64),
    st.integers(0, 1 << 64),
    st.integers(0, 1 << 64),
    st.none() | st.integers(0, 1 << 64),
)
def test_whatever_is_told_a_memory_holds_its_parts(
    total: int, used: int, free: int, reserved: int | None
) -> None:
    try:
        memory = counted(RawMemory(total, used, free, reserved))
    except ImplausibleMemoryError:
        return

    assert min(memory.used, memory.free, memory.reserved or 0) >= 0
    parts = memory.used + memory.free + (memory.reserved or 0)
    assert abs(parts - memory.total) <= TOLERANCE_BYTES
