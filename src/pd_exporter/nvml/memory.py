"""Which of NVML's ways to count memory a sample was counted in."""

from pd_exporter.nvml.device import Memory
from pd_exporter.nvml.library import RawMemory

TOLERANCE_BYTES = 1 << 20
"""How far the parts may be from the total: numbers that were rounded, or not taken in one moment.

What drivers reserve, by which the two ways differ, is hundreds of times more.
"""


class ImplausibleMemoryError(ValueError):
    """Numbers that do not add up, so that nobody knows what they count."""


def counted(raw: RawMemory) -> Memory:
    """Give memory with `used` as what processes have allocated.

    NVML's documentation of the second form of the call is at odds with itself about whether what
    is reserved is in `used`; the sum tells. In the first form it is, and cannot be told apart.

    Raises:
        ImplausibleMemoryError: Neither sum is the total, or a part is more than the total.
    """
    if raw.total <= 0 or max(raw.used, raw.free, raw.reserved or 0) > raw.total:
        raise ImplausibleMemoryError(_words(raw))
    reserved = raw.reserved or 0
    apart = abs(raw.used + raw.free + reserved - raw.total)
    within = abs(raw.used + raw.free - raw.total)
    used, off = raw.used, apart
    if within < apart and raw.used >= reserved:
        used, off = raw.used - reserved, within
    if off > TOLERANCE_BYTES:
        raise ImplausibleMemoryError(_words(raw))
    return Memory(raw.total, used, raw.free, raw.reserved)


def _words(raw: RawMemory) -> str:
    reserved = "untold" if raw.reserved is None else raw.reserved
    return (
        f"memory does not add up: total {raw.total}, used {raw.used}, free {raw.free}, "
        f"reserved {reserved} bytes"
    )
