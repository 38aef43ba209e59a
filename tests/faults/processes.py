"""Faults of the processes on the GPU that two pods share."""

from tests.fake_nvml import GIB, Process
from tests.faults.fault import Act, Fault, says
from tests.faults.scene import GPUS, POD_MEMORY, SHARED_GPU, Scene

PODS_USED = POD_MEMORY[0]
SHARED = GPUS[SHARED_GPU]
LIST = "nvmlDeviceGetComputeRunningProcesses_v3"


def lists(*processes: Process) -> Act:
    """NVML tells these processes."""

    def act(scene: Scene) -> None:
        scene.gpu(SHARED_GPU).processes = list(processes)
        scene.node.nvml.write()

    return act


TRUE_LIST = (Process(11, 20 * GIB), Process(12, 29 * GIB))


def fail_list(scene: Scene) -> None:
    scene.node.nvml.fail(999, scene.gpu(SHARED_GPU), LIST)
    scene.node.nvml.write()


def reuse_pid(scene: Scene) -> None:
    scene.node.proc.end(11)
    scene.node.proc.start(11, "decode-4", ticks=100)
    scene.world.tenant("prefill-3").used = 0
    scene.world.tenant("decode-4").used = 49 * GIB


def reuse_pid_again(scene: Scene) -> None:
    scene.node.proc.end(11)
    scene.node.proc.start(11, "prefill-3", ticks=200)
    scene.world.tenant("prefill-3").used = 20 * GIB
    scene.world.tenant("decode-4").used = 29 * GIB


def start_unreadable(scene: Scene) -> None:
    scene.node.proc.start(13, "decode-4")
    cgroup = scene.node.proc.folder / "13" / "cgroup"
    cgroup.unlink()
    cgroup.mkdir()  # what cannot be read not even by root
    lists(*TRUE_LIST, Process(13, 1 * GIB))(scene)


def make_readable(scene: Scene) -> None:
    scene.node.proc.end(13)
    scene.node.proc.start(13, "decode-4")
    scene.world.tenant("decode-4").used = 30 * GIB


def unbelieved(name: str, reason: str, inject: Act, cure: Act) -> Fault:
    """What processes have cannot be told."""
    return Fault(
        name,
        "used memory of the pods that share the GPU",
        inject,
        cure,
        says=(says(PODS_USED, None, uuid=SHARED),),
        counts=((SHARED, reason),),
        problem=(f"GPU {SHARED_GPU}", reason),
    )


PROCESS_FAULTS = (
    Fault(
        "memory of a process not available",
        "used memory of its pod",
        lists(Process(11, None), TRUE_LIST[1]),
        lists(*TRUE_LIST),
        says=(says(PODS_USED, None, pod="prefill-3"),),
        tells="its absence beside `pd_pod_gpu_info`",
    ),
    unbelieved(
        "memory of all processes 0",
        "implausible",
        lists(Process(11, 0), Process(12, 0)),
        lists(*TRUE_LIST),
    ),
    unbelieved("list of processes fails (999)", "unknown", fail_list, Scene.heal),
    Fault(
        "pid used again by a process of the other pod",
        "none",
        reuse_pid,
        reuse_pid_again,
        tells="the memory is the other pod's",
    ),
    unbelieved(
        "cgroup of a new process unreadable", "implausible", start_unreadable, make_readable
    ),
)
