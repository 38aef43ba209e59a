"""Which GPUs the node has: found out in the background, again and again."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from pd_exporter.nvml.device import Device, Failure, Reason
from pd_exporter.nvml.errors import Code, HungError, NvmlError, failure_of, library_failure
from pd_exporter.nvml.fatal import Fatal
from pd_exporter.nvml.inventory import OpenDevice, open_device, told
from pd_exporter.nvml.library import Library
from pd_exporter.nvml.worker import Worker, answers

BACK_OFF_SECONDS = 60.0
"""The longest pause between two attempts to initialise NVML."""
SHUTDOWN_SECONDS = 1.0
"""How long letting go of NVML may take at the end."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Known:
    """A device that is known, and the thread that reads it.

    Attributes:
        device: As it was last enumerated.
        worker: Its own.
        opened: None while there are no handles; then there is a failure.
        failure: Why there are none.
        lost: Whether the last reading said that the device is lost.
    """

    device: Device
    worker: Worker
    opened: OpenDevice | None
    failure: Failure | None = None
    lost: bool = False


class Enumeration:
    """The node's devices, as far as they are known.

    A device is known by its uuid from the first time it answers until NVML no longer lists it.

    Attributes:
        known: By uuid, in the order of the indexes.
        driver: Driver version; empty where unknown.
        failure: Why the library as a whole cannot be used.
        nameless: Why devices may be missing among the known.
        initialisations: Counts them: what was read across one is not to be relied on.
        first: Set once there was an attempt.
    """

    def __init__(
        self, library: Library, fatal: Fatal, refresh_seconds: float, hung_seconds: float
    ) -> None:
        self.known: dict[str, Known] = {}
        self.driver = ""
        self.failure: Failure | None = None
        self.nameless: Failure | None = None
        self.initialisations = 0
        self.first = asyncio.Event()
        self._library = library
        self._fatal = fatal
        self._refresh_seconds = refresh_seconds
        self._hung_seconds = hung_seconds
        self._again = asyncio.Event()
        self._initialise = True
        self._failed = 0
        self._twice = False
        self._worker = Worker("nvml")
        self._openers: list[Worker] = []

    async def keep(self) -> None:
        """Enumerate every `refresh_seconds` and when asked to; more rarely while NVML fails."""
        while True:
            self._again.clear()
            await self._enumerate()
            self.first.set()
            pause = self._refresh_seconds * 2 ** min(max(0, self._failed - 1), 10)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(
                    min(pause, max(BACK_OFF_SECONDS, self._refresh_seconds))
                ):
                    await self._again.wait()

    def again(self) -> None:
        """Enumerate at once."""
        self._again.set()

    def distrust(self) -> None:
        """Initialise NVML anew before devices are enumerated the next time."""
        self._initialise = True

    async def close(self) -> None:
        """Let go of NVML and end all threads that can end."""
        workers = [self._worker, *self._openers, *(known.worker for known in self.known.values())]
        if not any(worker.hung for worker in workers):
            await answers([(self._worker, self._library.shut_down)], SHUTDOWN_SECONDS)
        for worker in workers:
            worker.end()

    async def _enumerate(self) -> None:
        initialise, self._initialise = self._initialise, False
        if initialise:
            self.initialisations += 1
            if self.failure is None:
                self._close_devices(Failure(Reason.DRIVER, "NVML is being initialised anew."))
        begin = partial(_begin, self._library, initialise=initialise)
        [begun] = await answers([(self._worker, begin)], self._hung_seconds)
        if isinstance(begun, HungError) and not initialise:
            self.nameless = Failure(Reason.HUNG, f"{begun} from counting the GPUs.")
            return
        if isinstance(begun, BaseException):
            self._fail(begun, initialised=initialise)
            return
        self.driver, count = begun
        outcomes = await self._open(count)
        wide = next((error for error in outcomes if _is_library_wide(error)), None)
        if isinstance(wide, NvmlError):
            self._fail(wide, initialised=initialise)
        else:
            self._succeed(outcomes)

    async def _open(self, count: int) -> list[OpenDevice | BaseException]:
        """Open all devices, each in a thread of its own, so that a hung one keeps no other."""
        while len(self._openers) < count:
            self._openers.append(Worker(f"nvml-open-{len(self._openers)}"))
        calls = [
            (self._openers[index], partial(open_device, self._library, index))
            for index in range(count)
        ]
        return await answers(calls, self._hung_seconds)

    def _fail(self, error: BaseException, *, initialised: bool) -> None:
        """The library as a whole cannot be used; a first try to initialise it anew is at once."""
        code = error.code if isinstance(error, NvmlError) else None
        if code == Code.LIB_RM_VERSION_MISMATCH:
            self._fatal.mismatch(f"{error}.")
        self._fatal.attempt("enumerate", unknown=code == Code.UNKNOWN)
        failure = library_failure(error)
        if self.failure != failure:
            _log.warning("NVML cannot be used", reason=failure.reason, why=failure.message)
        self.failure = failure
        self.nameless = None
        self._close_devices(failure)
        self._initialise = True
        if initialised:
            self._failed += 1
        else:
            self._again.set()

    def _succeed(self, outcomes: Sequence[OpenDevice | BaseException]) -> None:
        if self.failure is not None or not self.first.is_set():
            _log.info("NVML ready", driver=self.driver, gpus=len(outcomes))
        self.failure = None
        self._failed = 0
        refused = [error.code for error in outcomes if isinstance(error, NvmlError)]
        none = bool(outcomes) and len(refused) == len(outcomes)
        self._fatal.attempt("enumerate", unknown=none and set(refused) == {Code.UNKNOWN})
        if none:  # then there is nothing to lose by a new start
            self._initialise = True
        self._settle(outcomes)

    def _settle(self, outcomes: Sequence[OpenDevice | BaseException]) -> None:
        """Take over what was found; a device that could not be opened is what it was before."""
        opened = {device.device.uuid for device in outcomes if isinstance(device, OpenDevice)}
        before, self.known = self.known, {}
        held = [known for uuid, known in before.items() if uuid not in opened]
        taken: set[str] = set()
        nameless, twice = [], False
        for index, outcome in enumerate(outcomes):
            if isinstance(outcome, OpenDevice):
                uuids = _uuids(outcome.device)
                if uuids.isdisjoint(taken):
                    self.known[outcome.device.uuid] = _opened(outcome, before)
                else:
                    twice = True
                    why = f"GPU {index}: another one is also {min(uuids & taken)}."
                    nameless.append(Failure(Reason.CHANGED, why))
                taken |= uuids
                continue
            failure = failure_of(outcome)
            known = next((known for known in held if known.device.index == index), None)
            if known is None:
                nameless.append(Failure(failure.reason, f"GPU {index}: {failure.message}"))
                continue
            self.known[known.device.uuid] = known
            if known.opened is None:
                known.failure = failure
        self._forget(before)
        if twice and not self._twice:  # indexes may have moved while devices were opened by theirs
            self._again.set()
        self._twice = twice
        self.nameless = _missing(nameless)

    def _forget(self, before: Mapping[str, Known]) -> None:
        for uuid, known in before.items():
            if uuid not in self.known:
                _log.info("GPU gone", uuid=uuid, index=known.device.index)
                known.worker.end()

    def _close_devices(self, failure: Failure) -> None:
        for known in self.known.values():
            known.opened = None
            known.failure = failure


def _begin(library: Library, *, initialise: bool) -> tuple[str, int]:
    """Give the driver's version and the number of GPUs; blocks."""
    if initialise:
        library.initialise()
    return told(library.driver_version) or "", library.count()


def _missing(nameless: Sequence[Failure]) -> Failure | None:
    if not nameless:
        return None
    words = " ".join(failure.message for failure in nameless)
    return Failure(nameless[0].reason, f"Not every GPU can be identified. {words}")


def _uuids(device: Device) -> set[str]:
    return {device.uuid}.union(*((unit.uuid, *unit.aliases) for unit in device.units))


def _is_library_wide(outcome: OpenDevice | BaseException) -> bool:
    return isinstance(outcome, NvmlError) and outcome.reason is Reason.DRIVER


def _opened(device: OpenDevice, before: Mapping[str, Known]) -> Known:
    found = device.device
    known = before.get(found.uuid)
    if known is None:
        _log.info("GPU found", uuid=found.uuid, index=found.index, units=len(found.units))
        return Known(found, Worker(f"nvml-{found.uuid}"), device)
    if known.device != found:
        _log.info("GPU changed", uuid=found.uuid, index=found.index, units=len(found.units))
    known.device, known.opened, known.failure = found, device, None
    return known
