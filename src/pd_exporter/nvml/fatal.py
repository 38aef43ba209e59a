"""When only a new container helps: the exporter ends, so that the kubelet makes one."""

from collections.abc import Callable
from typing import Literal

LASTING_SECONDS = 60.0
"""How long NVML may say nothing but "unknown error" about everything."""

_UNKNOWN = (
    f'For {LASTING_SECONDS:.0f} s NVML has said nothing but "unknown error" about every GPU of the '
    "node. The container has most likely lost its access to /dev/nvidia*, as happens when systemd "
    "on the node is reloaded, and only a new container gets it back: the exporter ends, and the "
    "kubelet starts it anew. If this comes back, see on the node whether nvidia-smi works."
)
_MISMATCH = (
    "The NVIDIA driver of this node is of another version than the NVML library in this container, "
    "which is as old as the container. {} The exporter ends, and the kubelet starts it anew with "
    "the library of now. If this comes back, the driver's upgrade on the node is incomplete: "
    "reload its kernel modules, or reboot the node."
)


class Fatal:
    """Knows what is the end, and says so once.

    Args:
        on_fatal: Is told what happened, where, and what cures it.
        clock: Seconds.
    """

    def __init__(self, on_fatal: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._on_fatal = on_fatal
        self._clock = clock
        self._said = False
        self._unknown_since: dict[str, float] = {}

    def mismatch(self, words: str) -> None:
        """Library and driver do not fit, and this process will never have another library."""
        self._say(_MISMATCH.format(words))

    def attempt(self, attempt: Literal["enumerate", "read"], *, unknown: bool) -> None:
        """Note whether an attempt brought nothing but "unknown error", from every GPU.

        Each kind of attempt counts by itself: devices can be listed that cannot be read.
        """
        if not unknown:
            self._unknown_since.pop(attempt, None)
        elif self._clock() - self._unknown_since.setdefault(attempt, self._clock()) >= (
            LASTING_SECONDS
        ):
            self._say(_UNKNOWN)

    def _say(self, message: str) -> None:
        if not self._said:
            self._said = True
            self._on_fatal(message)
