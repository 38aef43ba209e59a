"""Faults of the kubelet, which is asked in the background: what it told stays true for a while."""

from dataclasses import replace

import grpc

from tests.faults.fault import BACKGROUND, Act, Fault, says
from tests.faults.scene import GPUS, Scene, Tenant, newcomer, pod_object

SOURCE_UP = "pd_node_source_up"


def kubelet_answers(scene: Scene) -> None:
    scene.node.kubelet.answer()


def kubelet_fault(name: str, reason: str, inject: Act, cure: Act = kubelet_answers) -> Fault:
    """The kubelet does not tell who holds what."""
    return Fault(
        name,
        "none: allocations stay",
        inject,
        cure,
        says=(says(SOURCE_UP, 0, source="kubelet"),),
        problem=("kubelet", reason),
        notice=BACKGROUND,
        back=BACKGROUND,
    )


def restart_kubelet(scene: Scene) -> None:
    scene.node.kubelet.stop()
    scene.come(newcomer())
    scene.node.kubelet.start()


def end_pod_that_stays_listed(scene: Scene) -> None:
    ended = scene.world.tenant("prefill-1")
    scene.world.tenants.remove(ended)
    scene.listed = [ended]
    scene.node.api.update(pod_object(ended) | {"status": {"phase": "Succeeded"}})
    scene.come(Tenant("prefill-9", "prefill", GPUS[1]))


def list_no_more(scene: Scene) -> None:
    scene.listed = []
    scene.tell_kubelet()


def hold_unknown(scene: Scene) -> None:
    odd = Tenant("decode-6", "decode", "made-up")
    scene.listed = [odd]
    scene.node.api.create(pod_object(odd))
    scene.tell_kubelet()


KUBELET_FAULTS = (
    kubelet_fault(
        "kubelet down",
        "socket_missing",
        lambda scene: scene.node.kubelet.stop(),
        lambda scene: scene.node.kubelet.start(),
    ),
    Fault(
        "kubelet restarted with a new socket, and a new pod",
        "none: allocations stay",
        restart_kubelet,
        lambda scene: scene.leave("decode-6"),
        passing=(says(SOURCE_UP, 0, source="kubelet"),),
        tells="the new pod's series",
        at_once=False,
        notice=BACKGROUND,
        back=BACKGROUND,
    ),
    kubelet_fault(
        "kubelet out of requests (RESOURCE_EXHAUSTED)",
        "rate_limited",
        lambda scene: scene.node.kubelet.fail(grpc.StatusCode.RESOURCE_EXHAUSTED),
    ),
    kubelet_fault(
        "kubelet answers garbage",
        "invalid_reply",
        lambda scene: scene.node.kubelet.answer(b"\xff" * 64),
    ),
    replace(
        kubelet_fault("kubelet hangs", "timeout", lambda scene: scene.node.kubelet.hang()),
        notice=45,  # it has 5 s to answer
    ),
    kubelet_fault(
        "kubelet answers with 20 MiB",
        "too_large",
        lambda scene: scene.node.kubelet.answer(b"\n\x00" * (10 << 20)),
    ),
    Fault(
        "kubelet lists a pod that has ended, whose GPU a new pod holds",
        "all of the pod that ended",
        end_pod_that_stays_listed,
        list_no_more,
        passing=(says("pd_gpu_pods", 0, uuid=GPUS[1]),),
        tells="the new pod's series",
        at_once=False,
        notice=BACKGROUND,
    ),
    Fault(
        "device id of unknown shape",
        "all of its pod",
        hold_unknown,
        list_no_more,
        says=(says("pd_gpu_unresolved_device_ids", 1, reason="shape"),),
        problem=("kubelet", "shape"),
        notice=BACKGROUND,
        back=BACKGROUND,
    ),
)
