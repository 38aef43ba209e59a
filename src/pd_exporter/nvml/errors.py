"""What NVML's errors mean for a device, and which of them are about the library as a whole."""

from enum import IntEnum

from pd_exporter.nvml.device import Failure, Reason


class Code(IntEnum):
    """The NVML return codes (nvmlReturn_t) for which something is known to be done."""

    UNINITIALIZED = 1
    INVALID_ARGUMENT = 2
    NOT_SUPPORTED = 3
    NO_PERMISSION = 4
    NOT_FOUND = 6
    INSUFFICIENT_SIZE = 7
    DRIVER_NOT_LOADED = 9
    LIBRARY_NOT_FOUND = 12
    FUNCTION_NOT_FOUND = 13
    GPU_IS_LOST = 15
    RESET_REQUIRED = 16
    LIB_RM_VERSION_MISMATCH = 18
    ARGUMENT_VERSION_MISMATCH = 25
    GPU_NOT_FOUND = 28
    UNKNOWN = 999


_REASONS: dict[int, Reason] = {
    Code.UNINITIALIZED: Reason.DRIVER,
    Code.DRIVER_NOT_LOADED: Reason.DRIVER,
    Code.LIBRARY_NOT_FOUND: Reason.DRIVER,
    Code.LIB_RM_VERSION_MISMATCH: Reason.DRIVER,
    # A handle that is no longer one leads nowhere, or to nothing of that kind.
    Code.INVALID_ARGUMENT: Reason.CHANGED,
    Code.NOT_FOUND: Reason.CHANGED,
    Code.NOT_SUPPORTED: Reason.UNSUPPORTED,
    Code.FUNCTION_NOT_FOUND: Reason.UNSUPPORTED,
    Code.ARGUMENT_VERSION_MISMATCH: Reason.UNSUPPORTED,
    Code.NO_PERMISSION: Reason.NO_PERMISSION,
    Code.GPU_IS_LOST: Reason.LOST,
    Code.RESET_REQUIRED: Reason.LOST,
    Code.GPU_NOT_FOUND: Reason.LOST,
}


class NvmlError(Exception):
    """A call that NVML refused.

    Attributes:
        code: NVML's return code, which need not be among `Code`.
        function: What was called.
        words: NVML's own for the code.
    """

    def __init__(self, code: int, function: str, words: str) -> None:
        super().__init__(f"{function}: {words} (NVML error {code})")
        self.code = code
        self.function = function
        self.words = words

    @property
    def reason(self) -> Reason:
        """What is to be thought of the device that was asked, or of the library."""
        return _REASONS.get(self.code, Reason.UNKNOWN)

    @property
    def of_device(self) -> bool:
        """Whether nothing that the device said in the same moment can be relied on."""
        return self.reason in {Reason.LOST, Reason.CHANGED, Reason.DRIVER}


class HungError(Exception):
    """A call into the driver that has not come back in time."""

    def __init__(self) -> None:
        super().__init__("A call into the NVIDIA driver has not come back")


_LIBRARY_CURES: dict[int, str] = {
    Code.LIBRARY_NOT_FOUND: (
        "The NVIDIA container runtime brings the library into a pod with runtimeClassName: nvidia, "
        "NVIDIA_VISIBLE_DEVICES=all and NVIDIA_DRIVER_CAPABILITIES=utility; without that runtime, "
        "mount the driver's libraries from the node and name their directory in LD_LIBRARY_PATH."
    ),
    Code.DRIVER_NOT_LOADED: "See whether nvidia-smi works on the node: its driver is not loaded.",
}


def failure_of(error: BaseException) -> Failure:
    """Say why a device, or a unit of one, gave nothing."""
    if isinstance(error, NvmlError):
        return Failure(error.reason, f"{error}.")
    if isinstance(error, HungError):
        return Failure(Reason.HUNG, f"{error}.")
    return Failure(Reason.UNKNOWN, f"{type(error).__name__}: {error}.")


def library_failure(error: BaseException) -> Failure:
    """Say why the library as a whole cannot be used, and what to do about it."""
    failure = failure_of(error)
    cure = "The exporter goes on trying."
    if isinstance(error, NvmlError):
        cure = _LIBRARY_CURES.get(error.code, cure)
    return Failure(failure.reason, f"NVML cannot be used. {failure.message} {cure}")
