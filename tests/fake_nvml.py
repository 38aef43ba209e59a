"""GPUs that are not there: NVML as a C library that answers what a test tells it to, live.

    fake = FakeNvml(tmp_path / "nvml", gpus=8)
    fake.gpus[0].used = 40 * GIB
    fake.fail(15, fake.gpus[3])
    fake.write()

The library reads anew what is written, at its next call. In the same process it is loaded by its
path, `fake.library`; a child process finds it through `fake.environment`. Nothing else has to be
told to it: the file that it obeys lies beside it.
"""

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

MIB = 1 << 20
GIB = 1 << 30
LIBRARY = "libnvidia-ml.so.1"
SOURCES = Path(__file__).parent / "fakes" / "nvml"
CACHE = Path(__file__).parent.parent / ".cache" / "fake-nvml"
COMPILE = ("-std=c11", "-O1", "-fPIC", "-shared", "-pthread", f"-Wl,-soname,{LIBRARY}")
WARN = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")

Counting = Literal["excluding", "including"]


@dataclass
class Process:
    """A process on a GPU or MIG device; `used` None is NVML's "not available"."""

    pid: int
    used: int | None
    mps: bool = False


@dataclass
class Memory:
    """Bytes. `used` is without `reserved`, however the second memory call counts it.

    `free` is what the two leave of `total`, unless it is given.
    """

    total: int = 80 * GIB
    used: int = 0
    reserved: int = 600 * MIB
    free: int | None = None
    counting: Counting = "excluding"


@dataclass
class ComputeInstance:
    """What is a MIG device for NVML: part of a GPU instance's engines, with all its memory."""

    uuid: str
    id: int = 0
    processes: list[Process] = field(default_factory=list)


@dataclass
class GpuInstance(Memory):
    """A MIG GPU instance: a part of a GPU with memory of its own."""

    total: int = 9984 * MIB
    reserved: int = 0
    id: int = 1
    profile: str = "1g.10gb"
    start: int = 0
    size: int = 1
    slices: int = 1
    compute: list[ComputeInstance] = field(default_factory=list)


@dataclass
class Gpu(Memory):
    """A GPU; with `mig` its memory is its instances' alone."""

    uuid: str = ""
    minor: int = 0
    name: str = "NVIDIA H100 80GB HBM3"
    addressing: int = 0
    mig: bool = False
    instances: list[GpuInstance] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)


Target = Gpu | ComputeInstance | str


class FakeNvml:
    """A library in a folder of its own, and what it is to say. Only `write` makes it say it.

    Attributes:
        library: Where it lies, or would lie: see `remove`.
        gpus: In NVML's order: the place in this list is the index.
        driver: Driver version.
        loads: Another number is a driver that was loaded anew: all handles are void, and every
            call says "uninitialized" until NVML is initialised.
        by_slot: Handles are places among the devices, not devices: after a change they lead to
            another device without a word.
        announce: Count, and how many times: what the next questions for the length of a list of
            processes are told instead of its length.
    """

    def __init__(self, folder: Path, gpus: int = 1) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.library = folder / LIBRARY
        self.gpus = [gpu(number) for number in range(gpus)]
        self.driver = "580.65.06"
        self.loads = 1
        self.by_slot = False
        self.announce = (0, 0)
        self._control = folder / "control"
        self._rules: list[tuple[str, str, str]] = []
        self._written_at = 0
        self.write()
        self.install()

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which a child process finds this library before any other."""
        paths = [str(self.library.parent), os.environ.get("LD_LIBRARY_PATH", "")]
        return os.environ | {"LD_LIBRARY_PATH": os.pathsep.join(filter(None, paths))}

    def install(self) -> None:
        """Put the library where it is looked for."""
        beside = self.library.with_suffix(".new")
        shutil.copyfile(compiled(), beside)
        beside.rename(self.library)

    def remove(self) -> None:
        """Take the library away; a process that has loaded it keeps it."""
        self.library.unlink()

    def fail(self, code: int, target: Target = "*", function: str = "*") -> None:
        """Have a function fail for a device, or everything that is not said otherwise.

        A GPU's failure is also that of its MIG devices. Of two rules the first holds.
        """
        self._rules.append((function, _uuid(target), str(code)))

    def hang(self, target: Target = "*", function: str = "*") -> None:
        """Have a function not come back until this is no longer written."""
        self._rules.append((function, _uuid(target), "hang"))

    def heal(self, target: Target | None = None) -> None:
        """Forget what a device, or everything, was to fail or hang in."""
        uuid = None if target is None else _uuid(target)
        self._rules = [rule for rule in self._rules if uuid is not None and rule[1] != uuid]

    def reload_driver(self, version: str) -> None:
        self.driver = version
        self.loads += 1

    def write(self) -> None:
        """Make it so, all at once."""
        beside = self._control.with_suffix(".new")
        beside.write_text("\n".join(self._lines()) + "\n")
        # The library knows a new file by its time, which two quick writes would have in common.
        self._written_at = max(time.time_ns(), self._written_at + 1)
        os.utime(beside, ns=(self._written_at, self._written_at))
        beside.rename(self._control)

    def calls(self, function: str = "*") -> int:
        """How often this process called a function of the library, or all of them."""
        return int(ctypes.CDLL(str(self.library)).pdFakeCalls(function.encode()))

    def hanging(self) -> int:
        """How many calls of this process have not come back because of `hang`."""
        return int(ctypes.CDLL(str(self.library)).pdFakeHanging())

    def _lines(self) -> Iterator[str]:
        yield f"driver {self.driver} {self.loads}"
        yield f"handles {'slot' if self.by_slot else 'uuid'}"
        yield f"announce {self.announce[0]} {self.announce[1]}"
        for rule in self._rules:
            yield " ".join(("rule", *rule))
        for gpu in self.gpus:
            settings = f"{gpu.addressing} {gpu.mig:d} {gpu.name}"
            yield f"gpu {gpu.uuid} {gpu.minor} {_memory(gpu)} {settings}"
            yield from map(_process, gpu.processes)
            for instance in gpu.instances:
                place = f"{instance.start} {instance.size} {instance.slices}"
                yield f"gi {instance.id} {place} {_memory(instance)} {instance.profile}"
                for compute in instance.compute:
                    yield f"ci {compute.id} {compute.uuid}"
                    yield from map(_process, compute.processes)


def gpu(number: int) -> Gpu:
    """A GPU whose uuid tells its number, of which it has used as many GiB and 1 more."""
    uuid = f"GPU-{number:08x}-0000-4000-8000-000000000000"
    return Gpu(uuid=uuid, minor=number, used=(number + 1) * GIB)


def gpu_instance(number: int, *, gpu: int = 0, compute: int = 1) -> GpuInstance:
    """A GPU instance with that id, as many GiB used, and compute instances with telling uuids."""
    return GpuInstance(
        id=number,
        start=number,
        used=number * GIB,
        compute=[
            ComputeInstance(f"MIG-{gpu:08x}-{number:04x}-5000-8000-{place:012x}", id=place)
            for place in range(compute)
        ],
    )


@functools.cache
def compiled() -> Path:
    """Compile the library, unless that was done before, and say where it is.

    Raises:
        RuntimeError: There is no C compiler, or it refuses.
    """
    sources = sorted(SOURCES.glob("*.[ch]"))
    key = hashlib.sha256(" ".join((*COMPILE, *WARN)).encode())
    for source in sources:
        key.update(source.read_bytes())
    library = CACHE / f"{key.hexdigest()[:16]}.so"
    if library.exists():
        return library
    compiler = shutil.which("cc")
    if compiler is None:
        raise RuntimeError("there is no cc: the tests of GPUs need a C compiler")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        made = Path(folder) / LIBRARY
        files = [str(source) for source in sources if source.suffix == ".c"]
        command = [compiler, *COMPILE, *WARN, "-o", str(made), *files, "-ldl"]
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
        if ended.returncode != 0:
            raise RuntimeError(ended.stderr)
        made.rename(library)
    return library


def _memory(memory: Memory) -> str:
    free = "-" if memory.free is None else memory.free
    return f"{memory.total} {memory.used} {memory.reserved} {free} {memory.counting}"


def _process(process: Process) -> str:
    used = "-" if process.used is None else process.used
    return f"process {'mps' if process.mps else 'compute'} {process.pid} {used}"


def _uuid(target: Target) -> str:
    return target if isinstance(target, str) else target.uuid
