"""The only calls of NVML: nvidia-ml-py with types, and with its errors made ours.

nvidia-ml-py keeps one library per process, so two of these cannot be used at the same time.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NewType

import pynvml

from pd_exporter.nvml.device import Process
from pd_exporter.nvml.errors import Code, NvmlError

Handle = NewType("Handle", object)
"""NVML's handle of a GPU or MIG device."""

LIBRARY = "libnvidia-ml.so.1"
LIST_ATTEMPTS = 3
"""How often a list of processes is asked for that outgrows the room made for it."""


@dataclass(frozen=True, slots=True)
class RawMemory:
    """Bytes as NVML counts them; `reserved` is None in the first form of the call."""

    total: int
    used: int
    free: int
    reserved: int | None


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a MIG device has: slices of the GPU instance, and its memory in MiB."""

    slices: int
    memory_mib: int


class Library:
    """NVML; every call blocks, may hang, and raises NvmlError where it is refused.

    Args:
        path: Of the library; None for the one that the dynamic linker finds.
    """

    def __init__(self, path: str | None = None) -> None:
        self._path = path or LIBRARY
        self._loaded = False
        self._initialised = False

    def initialise(self) -> None:
        """Load the library unless that was done, and initialise it, anew if it was.

        A file that takes the library's place is not seen: the process keeps what it has loaded.
        """
        if not self._loaded:
            self._load()
        self.shut_down()
        _call(pynvml.nvmlInit)
        self._initialised = True

    def shut_down(self) -> None:
        """Let go of all GPUs; what NVML has to say against it does not matter any more."""
        if self._initialised:
            self._initialised = False
            try:
                _call(pynvml.nvmlShutdown)
            except NvmlError as error:
                if error.code == Code.LIB_RM_VERSION_MISMATCH:
                    raise

    def driver_version(self) -> str:
        """Version of the driver."""
        return str(_call(pynvml.nvmlSystemGetDriverVersion))

    def count(self) -> int:
        """Count the GPUs; indexes go up to here."""
        return int(_call(pynvml.nvmlDeviceGetCount))

    def by_index(self, index: int) -> Handle:
        """Give the handle of a GPU. The first time it may take the driver seconds."""
        return Handle(_call(pynvml.nvmlDeviceGetHandleByIndex, index))

    def uuid(self, handle: Handle) -> str:
        """`GPU-…` or `MIG-…`."""
        return str(_call(pynvml.nvmlDeviceGetUUID, handle))

    def name(self, handle: Handle) -> str:
        """Product name; a MIG device's ends in its profile."""
        return str(_call(pynvml.nvmlDeviceGetName, handle))

    def minor(self, handle: Handle) -> int:
        """N of /dev/nvidiaN."""
        return int(_call(pynvml.nvmlDeviceGetMinorNumber, handle))

    def addressing(self, handle: Handle) -> int:
        """How processes address its memory: 0 none, 1 HMM, 2 ATS."""
        return int(_call(pynvml.nvmlDeviceGetAddressingMode, handle))

    def memory(self, handle: Handle) -> RawMemory:
        """Memory in the first form of the call, which counts what is reserved as used."""
        memory = _call(pynvml.nvmlDeviceGetMemoryInfo, handle)
        return RawMemory(memory.total, memory.used, memory.free, None)

    def memory_v2(self, handle: Handle) -> RawMemory:
        """Memory in the second form of the call, which tells what is reserved."""
        memory = _call(pynvml.nvmlDeviceGetMemoryInfo, handle, version=pynvml.nvmlMemory_v2)
        return RawMemory(memory.total, memory.used, memory.free, memory.reserved)

    def mig_mode(self, handle: Handle) -> bool:
        """Whether MIG is on now."""
        current, _pending = _call(pynvml.nvmlDeviceGetMigMode, handle)
        return bool(current == pynvml.NVML_DEVICE_MIG_ENABLE)

    def mig_limit(self, handle: Handle) -> int:
        """How many MIG devices the GPU may have."""
        return int(_call(pynvml.nvmlDeviceGetMaxMigDeviceCount, handle))

    def mig_by_index(self, handle: Handle, index: int) -> Handle:
        """Give a MIG device of a GPU; NOT_FOUND where there is none."""
        return Handle(_call(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, index))

    def gpu_instance_id(self, mig: Handle) -> int:
        """Id of the GPU instance of a MIG device, on its GPU."""
        return int(_call(pynvml.nvmlDeviceGetGpuInstanceId, mig))

    def compute_instance_id(self, mig: Handle) -> int:
        """Id of the compute instance of a MIG device, in its GPU instance."""
        return int(_call(pynvml.nvmlDeviceGetComputeInstanceId, mig))

    def attributes(self, mig: Handle) -> Attributes:
        """Give the size of a MIG device."""
        found = _call(pynvml.nvmlDeviceGetAttributes_v2, mig)
        return Attributes(found.gpuInstanceSliceCount, found.memorySizeMB)

    def placement(self, handle: Handle, gpu_instance: int) -> int:
        """First memory slice of a GPU instance; the driver tells it to privileged callers only."""
        instance = _call(pynvml.nvmlDeviceGetGpuInstanceById, handle, gpu_instance)
        return int(_call(pynvml.nvmlGpuInstanceGetInfo, instance).placement.start)

    def compute_processes(self, handle: Handle) -> list[Process]:
        """Processes with a CUDA context on a GPU or MIG device, but clients of MPS."""
        return _processes(pynvml.nvmlDeviceGetComputeRunningProcesses_v3, handle)

    def mps_processes(self, handle: Handle) -> list[Process]:
        """Clients of an MPS server on a GPU or MIG device."""
        return _processes(pynvml.nvmlDeviceGetMPSComputeRunningProcesses_v3, handle)

    def _load(self) -> None:
        try:
            library = ctypes.CDLL(self._path)
        except OSError as error:
            raise NvmlError(Code.LIBRARY_NOT_FOUND, "dlopen", str(error)) from None
        with pynvml.libLoadLock:
            pynvml.nvmlLib = library
            pynvml._nvmlGetFunctionPointer_cache.clear()  # noqa: SLF001  those of a former library
        self._loaded = True


def _processes(function: Callable[[Handle], Any], handle: Handle) -> list[Process]:
    """Ask for a list that may grow between the question for its length and that for itself."""
    for _ in range(LIST_ATTEMPTS - 1):
        try:
            return [Process(found.pid, found.usedGpuMemory) for found in _call(function, handle)]
        except NvmlError as error:
            if error.code != Code.INSUFFICIENT_SIZE:
                raise
    return [Process(found.pid, found.usedGpuMemory) for found in _call(function, handle)]


def _call(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    try:
        return function(*arguments, **named)
    except pynvml.NVMLError as error:
        # Not as its cause: such errors have no hash and compare only to their like.
        raise NvmlError(error.value, function.__name__, str(error)) from None
