"""From a process to its pod, by the names that the kubelet and container runtimes give cgroups."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

HOST_PID_NAMESPACE = "pid:[4026531836]"
"""The host's: the kernel numbers its first PID namespace so (include/linux/proc_ns.h)."""

_STARTED = 22 - 3
"""Field 22 of /proc/<pid>/stat (proc(5)), counted from field 3, which follows the name."""

# Systemd makes ancestors of what stands before a dash, so a uid's dashes are underscores there. A
# static pod's uid is a hash. The runtime may stand behind the slice, as in containerd's
# "….slice:cri-containerd:<id>" where systemd manages the pods' cgroups but not the containers'.
_POD = re.compile(
    r"(?:.*-)?pod"
    r"(?P<uid>[0-9a-f]{8}(?P<dash>[-_])(?:[0-9a-f]{4}(?P=dash)){3}[0-9a-f]{12}|[0-9a-f]{32})"
    r"(?:\.slice)?(?:$|:[a-z-]+:(?P<container>[0-9a-f]{64})$)"
)
# Not crio-conmon-<id>, which watches a container from beside it.
_CONTAINER = re.compile(
    r"(?:(?:cri-)?containerd-|crio-|docker-|libpod-)?(?P<container>[0-9a-f]{64})(?:\.scope)?"
)


@dataclass(frozen=True, slots=True)
class PodProcess:
    """Where a process belongs.

    Attributes:
        pod_uid: Of the pod, with dashes. Of a static pod it is the hash of its configuration, which
            its mirror in the API has in the annotation `kubernetes.io/config.hash`.
        container_id: 64 hexadecimal digits; empty where the process is in none of its containers.
    """

    pod_uid: str
    container_id: str = ""


class NotInPod(StrEnum):
    """Why a process has no pod."""

    HOST = "host"
    """It is the node's own."""
    GONE = "gone"
    """It has ended, or lives in a PID namespace that this one does not see."""
    UNREADABLE = "unreadable"
    """Its entry in /proc is not for us, or not as it should be."""


def parse_cgroup(text: str) -> PodProcess | None:
    """Find the pod in the content of /proc/<pid>/cgroup, of version 1 or 2.

    Where pods are nested (a node that is itself a container, as in kind) the innermost one counts.

    Returns:
        None where there is no pod, or where hierarchies disagree on it.
    """
    found = set()
    for line in text.split("\n"):
        _, _, rest = line.partition(":")
        _, _, path = rest.partition(":")  # hierarchy:controllers:path, which may have colons itself
        if process := _parse_path(path.removesuffix(" (deleted)")):
            found.add(process)
    if len({process.pod_uid for process in found}) != 1:
        return None
    containers = {process for process in found if process.container_id}
    if len(containers) == 1:
        return containers.pop()
    return PodProcess(found.pop().pod_uid)


def _parse_path(path: str) -> PodProcess | None:
    parts = path.split("/")
    for index in reversed(range(len(parts))):
        if not (pod := _POD.fullmatch(parts[index])):
            continue
        uid = pod["uid"].replace("_", "-")
        # Containers may have cgroups of their own below, even with containers in them.
        below = parts[index + 1] if index + 1 < len(parts) else ""
        container = _CONTAINER.fullmatch(below)
        return PodProcess(uid, pod["container"] or (container["container"] if container else ""))
    return None


class ProcessTable:
    """Looks up the pods of processes in /proc."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._known: dict[tuple[int, int], PodProcess | NotInPod] = {}

    def in_host_pid_namespace(self) -> bool:
        """Whether process ids mean here what they mean to the GPU's driver on the host."""
        try:
            return str((self._proc / "self/ns/pid").readlink()) == HOST_PID_NAMESPACE
        except OSError:
            return False

    def lookup(self, pids: Iterable[int]) -> dict[int, PodProcess | NotInPod]:
        """Find where processes belong.

        What was found is kept for as long as the same process is asked for in every call.
        """
        known: dict[tuple[int, int], PodProcess | NotInPod] = {}
        answer: dict[int, PodProcess | NotInPod] = {}
        for pid in pids:
            try:
                started = self._started(pid)
                answer[pid] = self._known.get((pid, started)) or self._read(pid, started)
                known[pid, started] = answer[pid]
            except (FileNotFoundError, ProcessLookupError):
                answer[pid] = NotInPod.GONE
            except (OSError, ValueError):
                answer[pid] = NotInPod.UNREADABLE
        self._known = known
        return answer

    def _read(self, pid: int, started: int) -> PodProcess | NotInPod:
        found = parse_cgroup((self._proc / str(pid) / "cgroup").read_text(errors="replace"))
        if self._started(pid) != started:
            raise ProcessLookupError(pid)  # that was another process, with the id of one that ended
        return found or NotInPod.HOST

    def _started(self, pid: int) -> int:
        """When a process started, in clock ticks since boot; with its id it is told from others.

        Raises:
            OSError: ProcessLookupError or FileNotFoundError where the process has ended.
            ValueError: Where the entry is not as it should be.
        """
        stat = (self._proc / str(pid) / "stat").read_text(errors="replace")
        _, end, rest = stat.rpartition(")")  # the name before may hold anything, also ")"
        fields = rest.split()
        if not end or len(fields) <= _STARTED:
            raise ValueError("not a process's status")
        if fields[0] in "ZX":
            raise ProcessLookupError(pid)  # it has ended; its cgroup may be the root's already
        return int(fields[_STARTED])
