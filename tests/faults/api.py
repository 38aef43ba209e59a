"""Faults of the Kubernetes API, and what it alone tells: pods that are known keep their roles."""

from tests.faults.fault import BACKGROUND, Act, Fault, says
from tests.faults.scene import GPUS, IDLE_GPU, Scene, Tenant, newcomer, pod_object
from tests.gpu_node import Settings

SOURCE_UP = "pd_node_source_up"
OTHER_UID = "00000000-0000-4000-8000-00000000beef"


def api_fault(name: str, reason: str, inject: Act, cure: Act) -> Fault:
    return Fault(
        name,
        "none: roles stay",
        inject,
        cure,
        says=(says(SOURCE_UP, 0, source="kubernetes"),),
        problem=("Kubernetes API", reason),
        notice=BACKGROUND,
        back=BACKGROUND,
        settings=Settings(enumerate_seconds=10.0, answer_seconds=0.5),
    )


def api_change(name: str, own: str, inject: Act, cure: Act, tells: str) -> Fault:
    """Something that only the API tells changes."""
    return Fault(
        name,
        own,
        inject,
        cure,
        passing=(
            says(SOURCE_UP, 0, source="kubernetes"),
            *(says("pd_gpu_pods", 0, uuid=GPUS[number]) for number in (1, IDLE_GPU)),
        ),
        tells=tells,
        at_once=False,
        notice=BACKGROUND,
        back=BACKGROUND,
        settings=Settings(enumerate_seconds=10.0, silence_seconds=1.0),
    )


def forbid(scene: Scene) -> None:
    scene.node.api.forbid("list", "watch")
    scene.node.api.drop_connections()


def hang_api(scene: Scene) -> None:
    scene.node.api.hang("list", "watch")
    scene.node.api.drop_connections()


def expire(scene: Scene) -> None:
    scene.node.api.drop_connections()
    scene.come(newcomer())
    scene.node.api.compact()


def mute(scene: Scene) -> None:
    scene.node.api.mute()
    scene.come(newcomer())


def relabel(role: str) -> Act:
    def act(scene: Scene) -> None:
        tenant = scene.world.tenant("decode-5")
        tenant.role = role
        scene.node.api.update(pod_object(tenant))

    return act


def make_anew(number: int, uid: str) -> Act:
    """The pod is deleted, and one of its name gets a GPU with that number."""

    def act(scene: Scene) -> None:
        scene.leave("prefill-1")
        scene.come(Tenant("prefill-1", "prefill", GPUS[number]), uid)

    return act


API_FAULTS = (
    api_fault(
        "API server down",
        "unreachable",
        lambda scene: scene.node.api.stop(),
        lambda scene: scene.node.api.start(),
    ),
    api_fault("API server hangs", "unreachable", hang_api, lambda scene: scene.node.api.heal()),
    api_fault("API server forbids (403)", "forbidden", forbid, lambda scene: scene.node.api.heal()),
    api_change(
        "watch cut off, version expired (410), and a new pod",
        "none: roles stay",
        expire,
        lambda scene: scene.leave("decode-6"),
        "the new pod's series",
    ),
    api_change(
        "watch falls silent, and a new pod",
        "none: roles stay",
        mute,
        lambda scene: scene.leave("decode-6"),
        "the new pod's series",
    ),
    api_change(
        "pod labelled with another role",
        "all of the pod in its old role",
        relabel("prefill"),
        relabel("decode"),
        "its series in the new role",
    ),
    api_change(
        "pod made anew under its name, with another uid and GPU",
        "all of the pod on its old GPU",
        make_anew(IDLE_GPU, OTHER_UID),
        make_anew(1, ""),
        "its series on the new GPU",
    ),
)
