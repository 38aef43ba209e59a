"""GPUs and MIG instances that come, go and change while they are held."""

from tests.fake_nvml import GIB, ComputeInstance, gpu, gpu_instance
from tests.faults.fault import QUICK, Fault, says, silent
from tests.faults.scene import GPUS, INSTANCES, MIG_GPU, MIGS, Scene, Tenant, Unit, healthy_world
from tests.gpu_node import Settings

UP = "pd_gpu_up"
UNRESOLVED = "pd_gpu_unresolved_device_ids"
NEW_MIG = "MIG-00000004-0005-5000-8000-00000000beef"
MIG_UNITS = (GPUS[MIG_GPU], *MIGS.values())
BEHIND = (*GPUS[2:8], *MIGS.values())
"""Units whose GPU gets another index when GPU 1 goes."""


def remove(scene: Scene) -> None:
    scene.node.nvml.gpus.remove(scene.gpu(1))
    scene.node.nvml.write()
    scene.world.units.remove(scene.world.unit(GPUS[1]))
    scene.world.tenants.remove(scene.world.tenant("prefill-1"))


def remove_by_place(scene: Scene) -> None:
    scene.node.nvml.by_slot = True
    remove(scene)


def put_back(scene: Scene) -> None:
    back = gpu(1)
    back.used = 11 * GIB
    scene.node.nvml.gpus.insert(1, back)
    scene.node.nvml.write()
    scene.world.units.insert(1, Unit(GPUS[1], back.used))
    scene.world.tenants.append(Tenant("prefill-1", "prefill", GPUS[1]))


def add(scene: Scene) -> None:
    added = gpu(8)
    scene.node.nvml.gpus.append(added)
    scene.node.nvml.write()
    scene.world.units.append(Unit(GPUS[8], added.used))
    scene.come(Tenant("decode-6", "decode", GPUS[8]))


def remake_instance(scene: Scene) -> None:
    (instance,) = (each for each in scene.gpu(MIG_GPU).instances if each.id == 5)
    instance.compute = [ComputeInstance(NEW_MIG)]
    scene.node.nvml.write()
    scene.world.unit(MIGS[5]).uuid = NEW_MIG
    scene.world.tenants.remove(scene.world.tenant("decode-2"))


def hold_new_instance(scene: Scene) -> None:
    scene.world.tenants.append(Tenant("decode-2", "decode", NEW_MIG))
    scene.tell_kubelet()


def mig_off(scene: Scene) -> None:
    card, unit = scene.gpu(MIG_GPU), scene.world.unit(GPUS[MIG_GPU])
    card.mig = unit.mig = False
    card.instances = []
    scene.node.nvml.write()
    world = scene.world
    world.units = [each for each in world.units if not each.parent]
    world.tenants = [each for each in world.tenants if each.unit not in MIGS.values()]


def mig_on(scene: Scene) -> None:
    healthy = healthy_world()
    scene.world.units[MIG_GPU : MIG_GPU + 1] = healthy.units[MIG_GPU : MIG_GPU + 4]
    scene.world.tenants += [each for each in healthy.tenants if each.unit in MIGS.values()]
    scene.gpu(MIG_GPU).mig = True
    scene.gpu(MIG_GPU).instances = [gpu_instance(each, gpu=MIG_GPU) for each in INSTANCES]
    scene.node.nvml.write()


DEVICE_FAULTS = (
    Fault(
        "GPU removed, indexes shift",
        "all of the GPU and of its pod",
        remove,
        put_back,
        says=(says(UNRESOLVED, 1, reason="device"),),
        counts=((GPUS[1], "lost"),),
        passing=(says(UP, 0, uuid=GPUS[1]),),
        problem=("kubelet", "device"),
        notice=5,
        back=20,
        settings=Settings(enumerate_seconds=2.0),
    ),
    Fault(
        "GPU removed, and handles lead to its neighbours",
        "all of the GPU and of its pod; for one scrape, memory of the GPUs behind it",
        remove_by_place,
        put_back,
        says=(says(UNRESOLVED, 1, reason="device"),),
        counts=(*((uuid, "changed") for uuid in GPUS[1:8]), (GPUS[7], "lost")),
        passing=(
            says(UP, 0, uuid=GPUS[1]),
            *(saying for uuid in BEHIND for saying in (*silent(uuid=uuid), says(UP, 0, uuid=uuid))),
        ),
        problem=("kubelet", "device"),
        notice=5,
        back=5,
    ),
    Fault(
        "GPU added and allocated",
        "none",
        add,
        lambda scene: scene.leave("decode-6"),
        passing=(says(UNRESOLVED, 1, reason="device"), says("pd_gpu_pods", 0, uuid=GPUS[8])),
        tells="its series",
        at_once=False,
        notice=15,
        back=15,
        settings=QUICK,
    ),
    Fault(
        "MIG instance made anew with another uuid, its pod keeps the old one",
        "all of the instance and of its pod",
        remake_instance,
        hold_new_instance,
        says=(says(UNRESOLVED, 1, reason="device"),),
        counts=((GPUS[MIG_GPU], "changed"),),
        passing=tuple(says(UP, 0, uuid=uuid) for uuid in (GPUS[MIG_GPU], MIGS[5])),
        problem=("kubelet", "device"),
        notice=5,
        back=15,
    ),
    Fault(
        "MIG turned off while instances are held",
        "all of the instances and of their pods",
        mig_off,
        mig_on,
        says=(says(UNRESOLVED, 3, reason="device"),),
        counts=((GPUS[MIG_GPU], "changed"),),
        passing=tuple(says(UP, 0, uuid=uuid) for uuid in MIG_UNITS),
        problem=("kubelet", "device"),
        notice=5,
        back=5,
    ),
)
