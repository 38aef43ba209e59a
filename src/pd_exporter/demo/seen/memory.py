"""GPU memory of the roles over the run: what the demo wrote, and what was seen of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pd_exporter.demo.plan import DECODE_ROLE, ROLES
from pd_exporter.demo.seen.course import Course
from pd_exporter.demo.seen.readings import memory_of
from pd_exporter.demo.seen.watch import Moment

_PAGE = "The exporter's page"
_PROMETHEUS = "Prometheus"


@dataclass(frozen=True, slots=True)
class RoleMemory:
    """Memory of the GPUs of all pods of a role together, in bytes.

    Attributes:
        role: Which role.
        written: What the demo wrote of simulated GPUs; None of real ones.
        exported: What the exporter's page had.
        recorded: What Prometheus had; None without it too.
        strange: Who gave what had not been written, and that.
    """

    role: str
    written: Course | None
    exported: Course | None
    recorded: Course | None
    strange: Sequence[tuple[str, float]] = ()


def memory_of_roles(
    moments: Sequence[Moment], recorded: Mapping[str, Sequence[float | None]] | None
) -> Iterator[RoleMemory]:
    """Put together what was seen; of a role whose memory nobody knows there is nothing."""
    for role in ROLES:
        name = memory_of(role)
        written = [moment.written.get(name) for moment in moments]
        exported = [moment.exported.get(name) for moment in moments]
        in_prometheus = recorded.get(name, ()) if recorded is not None else ()
        memory = RoleMemory(
            role,
            Course.of(written),
            Course.of(exported),
            Course.of(in_prometheus),
            tuple(_strange(written, exported, in_prometheus)),
        )
        if memory.written or memory.exported or memory.recorded:
            yield memory


def _strange(
    written: Sequence[float | None],
    exported: Sequence[float | None],
    recorded: Sequence[float | None],
) -> Iterator[tuple[str, float]]:
    for true, value in zip(written, exported, strict=True):
        if true is not None and value not in {None, true}:
            yield _PAGE, value
    for value in recorded:
        # When it was scraped is not known, so it may be any that was ever written.
        if value is not None and any(written) and value not in written:
            yield _PROMETHEUS, value


def memory_faults(memory: RoleMemory, *, prometheus: bool) -> Iterator[str]:
    """Say what is not as it should be, a sentence each; of real GPUs nobody knows."""
    if memory.written is None:
        return
    role = memory.role
    seen = {_PAGE: memory.exported} | ({_PROMETHEUS: memory.recorded} if prometheus else {})
    for whose, course in seen.items():
        if course is None:
            yield f"{whose} had no GPU memory of {role}."
        elif role != DECODE_ROLE:
            continue  # it follows the replicas that there are, whatever they do
        elif course.peak <= course.first:
            yield f"{whose} had GPU memory of {role} that did not rise."
        elif course.last > course.first:
            yield f"{whose} had GPU memory of {role} that did not fall back."
    for whose in seen:
        values = [value for by, value in memory.strange if by == whose]
        if values:
            yield (
                f"{whose} had {values[0]:.0f} bytes of GPU memory of {role}, which was not what"
                f" was written ({len(values)}x)."
            )
