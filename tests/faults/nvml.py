"""Faults of one GPU that is there, and of NVML as a whole."""

from dataclasses import replace
from typing import Any

from tests.fake_nvml import GIB, Memory
from tests.faults.fault import QUICK, SLOW, Act, Fault, says, silent
from tests.faults.scene import DEVICE_MEMORY, GPUS, POD_MEMORY, Scene
from tests.gpu_node import Settings

V1, V2 = "nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMemoryInfo_v2"
ONE_GPU = "memory of the GPU and of its pod"
UP = "pd_gpu_up"
V1_USED = 10 * GIB + Memory().reserved
NEW_DRIVER = "590.48.01"


def fail_functions(scene: Scene, code: int, *functions: str) -> None:
    for function in functions or ("*",):
        scene.node.nvml.fail(code, scene.gpu(0), function)
    scene.node.nvml.write()


def failing(name: str, reason: str, code: int, *functions: str) -> Fault:
    """GPU 0 answers with an error, to some functions or to all."""

    return Fault(
        name,
        ONE_GPU,
        lambda scene: fail_functions(scene, code, *functions),
        Scene.heal,
        says=(*silent(uuid=GPUS[0]), says(UP, 0, uuid=GPUS[0])),
        counts=((GPUS[0], reason),),
        problem=("GPU 0", reason),
    )


def hanging(name: str, *numbers: int, settings: Settings) -> Fault:
    """Calls about some GPUs do not come back, until the cure."""

    def inject(scene: Scene) -> None:
        for number in numbers:
            scene.node.nvml.hang(scene.gpu(number))
        scene.node.nvml.write()

    return Fault(
        name,
        "memory of the GPUs and of their pods" if len(numbers) > 1 else ONE_GPU,
        inject,
        Scene.heal,
        says=tuple(
            saying
            for number in numbers
            for saying in (*silent(uuid=GPUS[number]), says(UP, 0, uuid=GPUS[number]))
        ),
        counts=tuple((GPUS[number], "hung") for number in numbers),
        problem=(f"GPU {numbers[0]}", "hung"),
        settings=settings,
    )


def wide(name: str, reason: str, inject: Act, cure: Act, **more: Any) -> Fault:
    """No GPU can be read, nor NVML be used at all."""
    return Fault(
        name,
        "memory of all GPUs and pods",
        inject,
        cure,
        says=(*silent(), says(UP, 0), says("pd_nvml_up", 0)),
        counts=tuple((uuid, reason) for uuid in GPUS[:8]),
        problem=("NVML", reason),
        **more,
    )


def fail_all(code: int) -> Act:
    def inject(scene: Scene) -> None:
        scene.node.nvml.fail(code)
        scene.node.nvml.write()

    return inject


def reload_driver(scene: Scene) -> None:
    scene.node.nvml.reload_driver(NEW_DRIVER)
    scene.node.nvml.write()


def drive_anew(scene: Scene) -> None:
    """Nothing has to be done but to wait; only then the new version is known."""
    scene.world.driver = NEW_DRIVER


async def start_anew(scene: Scene) -> None:
    """What the kubelet does when the exporter has ended."""
    scene.heal()
    await scene.node.stop()
    await scene.node.start()


def go_mad(scene: Scene) -> None:
    scene.gpu(0).used = 90 * GIB
    scene.node.nvml.write()


def come_to_reason(scene: Scene) -> None:
    scene.gpu(0).used = scene.world.unit(GPUS[0]).used
    scene.node.nvml.write()


GPU_FAULTS = (
    failing("GPU lost (15)", "lost", 15),
    failing("GPU needs a reset (16)", "lost", 16),
    failing("GPU not found (28)", "lost", 28),
    failing("unknown error of one GPU (999)", "unknown", 999),
    failing("no permission to read the memory (4)", "no_permission", 4, V1, V2),
    replace(
        failing("memory not supported (3), by either call", "unsupported", 3, V1, V2),
        # Until the next enumeration the second call is not tried again, and the first one counts
        # what is reserved as used.
        passing=(
            says(DEVICE_MEMORY[0], V1_USED, uuid=GPUS[0]),
            says(POD_MEMORY[0], V1_USED, uuid=GPUS[0]),
        ),
        back=15,
        settings=QUICK,
    ),
    Fault(
        "second memory call withdrawn (13)",
        "reserved memory of the GPU",
        lambda scene: fail_functions(scene, 13, V2),
        Scene.heal,
        says=(
            says(DEVICE_MEMORY[2], None, uuid=GPUS[0]),
            says(DEVICE_MEMORY[0], V1_USED, uuid=GPUS[0]),
            says(POD_MEMORY[0], V1_USED, uuid=GPUS[0]),
        ),
        tells="its absence: what is reserved is in what is used, as defined",
        back=15,
        settings=QUICK,
    ),
    failing("uuid call fails (999)", "unknown", 999, "nvmlDeviceGetUUID"),
    replace(
        failing("more memory used than there is", "unknown", 0),
        inject=go_mad,
        cure=come_to_reason,
    ),
    hanging("a call about one GPU hangs", 0, settings=SLOW),
    hanging("calls about two GPUs hang, enumeration too", 0, 2, settings=QUICK),
)
LIBRARY_FAULTS = (
    wide("driver not loaded (9)", "driver", fail_all(9), Scene.heal, back=30, settings=QUICK),
    wide(
        "driver reloaded, NVML uninitialized (1) once",
        "driver",
        reload_driver,
        drive_anew,
        back=10,
        pages=1,
    ),
    wide(
        "NVML says only unknown error (999) for a second",
        "unknown",
        fail_all(999),
        Scene.heal,
        back=30,
        notice=5,
        passing=(says("pd_nvml_up", 1),),
        settings=QUICK,
    ),
    wide(
        "library and driver of different versions (18)",
        "driver",
        fail_all(18),
        start_anew,
        tells="the process ends",
        ends_process=True,
    ),
)
