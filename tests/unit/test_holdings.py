"""Who holds which unit: allocations resolved with what NVML and the Kubernetes API know."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from pd_exporter.attribution.holdings import Holding, Holdings, Unresolved, find_holdings
from pd_exporter.known import Known
from pd_exporter.kube.pod import Pod
from pd_exporter.kubelet.allocation import Allocation
from pd_exporter.nvml.device import Device, Unit
from pd_exporter.reading import Problem

GIB = 1 << 30
DOWN = Problem("unreachable", "The API is away.", "Wait.")


def uuid(number: int, kind: str = "GPU") -> str:
    return f"{kind}-{number:08x}-0000-4000-8000-000000000000"


def gpu(number: int) -> Device:
    return Device(uuid(number), number, number, "H100", "", mig=False, units=(Unit(uuid(number)),))


def mig_gpu(number: int, *units: Unit) -> Device:
    return replace(gpu(number), mig=True, units=units)


def allocation(
    pod: str, device: str, container: str = "main", resource: str = "nvidia.com/gpu"
) -> Allocation:
    return Allocation("default", pod, container, resource, device)


def pod(name: str, **annotations: str) -> Pod:
    return Pod("default", name, f"uid-of-{name}", {}, annotations)


def pods(*given: Pod, problem: Problem | None = None) -> Known[Mapping[tuple[str, str], Pod]]:
    return Known({(each.namespace, each.name): each for each in given}, 1.0, problem)


def told(*allocations: Allocation, at: float | None = None) -> Known[Sequence[Allocation]]:
    return Known(allocations, at)


def held(holdings: Holdings) -> dict[str, list[str]]:
    return {unit: [each.name for each in holders] for unit, holders in holdings.by_unit.items()}


def shared(holdings: Holdings) -> set[str]:
    return {unit for unit in holdings.by_unit if holdings.is_shared(unit)}


GPUSHARE = "aliyun.com/gpu-mem"


def share(number: int, count: int, pod: str = "a", container: str = "main") -> list[Allocation]:
    """Units of gpushare: their ids name any card of the node."""
    return [
        allocation(pod, f"{uuid(number)}-_-{each}", container, GPUSHARE) for each in range(count)
    ]


def test_a_pod_holds_the_gpus_that_the_kubelet_gave_it() -> None:
    holdings = find_holdings(
        told(allocation("a", uuid(0)), allocation("a", uuid(1)), allocation("b", uuid(2))),
        pods(pod("a"), pod("b")),
        [gpu(number) for number in range(4)],
    )

    assert held(holdings) == {uuid(0): ["a"], uuid(1): ["a"], uuid(2): ["b"]}
    assert holdings.unresolved == {}
    assert shared(holdings) == set()


def test_ids_name_units_by_uuid_alias_minor_and_instance() -> None:
    instance = Unit(uuid(1, "MIG"), (uuid(2, "MIG"),), "1g.10gb", gpu_instance=7, placement=3)
    devices = [gpu(0), mig_gpu(1, instance)]
    allocations = [
        allocation("by-minor", "nvidia0"),
        allocation("by-alias", uuid(2, "MIG"), resource="nvidia.com/mig-1g.10gb"),
        allocation("by-old-name", f"MIG-{uuid(1)}/7/0"),
        allocation("by-claim", "gpu-1-mig-1g10gb-19-3", resource="gpu.nvidia.com"),
    ]

    holdings = find_holdings(told(*allocations), Known(), devices)

    assert held(holdings) == {
        uuid(0): ["by-minor"],
        instance.uuid: ["by-alias", "by-old-name", "by-claim"],
    }
    assert shared(holdings) == {instance.uuid}


def test_containers_of_one_pod_are_one_holder() -> None:
    allocations = [
        allocation("a", uuid(0) + "::0", "engine"),
        allocation("a", uuid(0) + "::1", "engine"),
        allocation("b", uuid(1) + "::0", "engine"),
        allocation("b", uuid(1) + "::1", "sidecar"),
    ]

    holdings = find_holdings(told(*allocations), Known(), [gpu(0), gpu(1)])

    assert [each.container for each in holdings.by_unit[uuid(0)]] == ["engine"]
    assert [each.container for each in holdings.by_unit[uuid(1)]] == [""]
    assert shared(holdings) == set()


def test_a_pod_that_an_up_to_date_api_does_not_have_holds_nothing() -> None:
    allocations = [allocation("ended", uuid(0)), allocation("new", uuid(0))]

    holdings = find_holdings(told(*allocations), pods(pod("new")), [gpu(0)])

    assert held(holdings) == {uuid(0): ["new"]}


@pytest.mark.parametrize("known", [Known(problem=DOWN), Known(), pods(pod("a"), problem=DOWN)])
def test_without_the_api_what_the_kubelet_says_holds(
    known: Known[Mapping[tuple[str, str], Pod]],
) -> None:
    holdings = find_holdings(
        told(allocation("a", uuid(0)), allocation("b", uuid(1))), known, [gpu(0), gpu(1)]
    )

    assert held(holdings) == {uuid(0): ["a"], uuid(1): ["b"]}
    assert holdings.by_unit[uuid(1)][0].pod is None
    assert holdings.by_unit[uuid(1)][0].uid == ""


def test_an_id_that_names_no_gpu_is_told_with_its_reason() -> None:
    allocations = [
        allocation("a", "made-up-0"),
        allocation("a", uuid(9)),
        allocation("a", "mlx5_0", resource="rdma/hca"),
        *share(0, 3, "b"),
        *share(0, 3, "c"),
    ]
    known = pods(pod("a"), pod("b"), pod("c", ALIYUN_COM_GPU_MEM_IDX="one"))

    holdings = find_holdings(told(*allocations), known, [gpu(0)])

    assert holdings.by_unit == {}
    assert holdings.unresolved == {
        Unresolved.SHAPE: ["made-up-0 (default/a)"],
        Unresolved.DEVICE: [f"{uuid(9)} (default/a)"],
        Unresolved.ANNOTATION: [
            f"{GPUSHARE} (default/b)",
            "ALIYUN_COM_GPU_MEM_IDX (default/c)",
        ],
    }


def test_a_share_is_of_the_card_that_the_annotation_names_whatever_the_ids_say() -> None:
    annotations = {
        "ALIYUN_COM_GPU_MEM_IDX": "1",
        "ALIYUN_COM_GPU_MEM_POD": "20",
        "ALIYUN_COM_GPU_MEM_DEV": "80",
    }

    holdings = find_holdings(told(*share(0, 20)), pods(pod("a", **annotations)), [gpu(0), gpu(1)])

    assert held(holdings) == {uuid(1): ["a"]}
    (holder,) = holdings.by_unit[uuid(1)]
    assert holder.limit(80 * GIB) == 20 * GIB
    assert holder.resource == GPUSHARE


def test_a_quota_of_hami_is_in_mebibytes() -> None:
    annotations = {"hami.io/vgpu-devices-allocated": f"{uuid(1)},NVIDIA,4096,30:;"}

    holdings = find_holdings(
        told(allocation("a", f"{uuid(0)}-3")), pods(pod("a", **annotations)), [gpu(0), gpu(1)]
    )

    assert held(holdings) == {uuid(1): ["a"]}
    assert holdings.by_unit[uuid(1)][0].limit(80 * GIB) == 4 * GIB


def test_a_whole_gpu_is_the_limit_where_no_share_is_told() -> None:
    holdings = find_holdings(told(allocation("a", uuid(0) + "::1")), Known(), [gpu(0)])

    assert holdings.by_unit[uuid(0)][0].limit(80 * GIB) == 80 * GIB


def alone(device: str, *others: Allocation) -> Holdings:
    return find_holdings(told(allocation("a", device), *others), pods(pod("a"), pod("b")), [gpu(0)])


def test_who_alone_holds_a_slot_is_alone_only_while_all_others_are_known() -> None:
    unknown: Sequence[Allocation] = [allocation("b", "made-up")]

    assert not alone(uuid(0) + "::0").is_shared(uuid(0))
    assert alone(uuid(0) + "::0", *unknown).is_shared(uuid(0))
    assert alone(uuid(0) + "::0", *share(0, 1, "b")).is_shared(uuid(0))
    assert not alone(uuid(0), *unknown).is_shared(uuid(0))


def test_a_static_pod_is_known_to_the_node_by_its_hash() -> None:
    mirror = pod("a", **{"kubernetes.io/config.hash": "0123456789abcdef0123456789abcdef"})

    assert Holding("default", "a", "", "", mirror).uid == "0123456789abcdef0123456789abcdef"


def since(name: str, moment: float) -> Pod:
    return replace(pod(name), since=moment)


def test_a_pod_younger_than_what_the_kubelet_told_holds_nothing_yet() -> None:
    """What it told of that name was about the pod before."""
    known = pods(since("a", 99.5), since("b", 98.5), pod("c"))
    allocations = [allocation(name, uuid(index)) for index, name in enumerate("abc")]

    holdings = find_holdings(
        told(*allocations, at=100), known, [gpu(0), gpu(1), gpu(2)], settle_seconds=1
    )

    assert held(holdings) == {uuid(1): ["b"], uuid(2): ["c"]}


def test_while_a_pod_is_new_nobody_is_alone_on_what_can_be_shared() -> None:
    known = pods(pod("a"), pod("b"), since("new", 99.5))
    allocations = told(allocation("a", uuid(0) + "::0"), allocation("b", uuid(1)), at=100)

    holdings = find_holdings(allocations, known, [gpu(0), gpu(1)], settle_seconds=1)

    assert shared(holdings) == {uuid(0)}


def test_a_pod_that_the_api_does_not_have_may_still_be_on_what_can_be_shared() -> None:
    allocations = told(
        *(allocation(name, uuid(0) + f"::{slot}") for slot, name in enumerate(("a", "stranger"))),
        *(allocation(name, uuid(1)) for name in ("b", "stranger")),
    )

    holdings = find_holdings(allocations, pods(pod("a"), pod("b")), [gpu(0), gpu(1)])

    assert held(holdings) == {uuid(0): ["a"], uuid(1): ["b"]}
    assert shared(holdings) == {uuid(0)}


def holder(device: Device, *allocations: Allocation, by: Pod | None = None) -> Holding:
    """The only holder of a device's first unit."""
    known: Known[Mapping[tuple[str, str], Pod]] = pods(by) if by else Known()
    (found,) = find_holdings(told(*allocations), known, [device]).by_unit[device.units[0].uuid]
    return found


def test_only_an_id_that_no_other_pod_can_have_is_exclusive() -> None:
    instance = Unit(uuid(1, "MIG"), (), "1g.10gb", gpu_instance=7)
    split = replace(instance, aliases=(uuid(2, "MIG"),))
    card = {"ALIYUN_COM_GPU_MEM_IDX": "0"}
    slot, whole = allocation("a", uuid(0) + "::0"), allocation("a", uuid(0))

    assert holder(gpu(0), whole).exclusive
    assert holder(mig_gpu(0, instance), allocation("a", instance.uuid)).exclusive
    assert not holder(gpu(0), slot).exclusive
    assert not holder(gpu(0), slot, whole).exclusive
    assert not holder(mig_gpu(0, split), allocation("a", split.uuid)).exclusive
    assert not holder(gpu(0), allocation("a", "gpu-0", resource="gpu.nvidia.com")).exclusive
    assert not holder(gpu(0), *share(0, 2), by=pod("a", **card)).exclusive


def test_ids_of_any_shape_count_units_where_an_annotation_names_the_card() -> None:
    card = pod("a", ALIYUN_COM_GPU_MEM_IDX="0", ALIYUN_COM_GPU_MEM_POD="20")

    found = holder(gpu(0), allocation("a", "unheard-of", resource=GPUSHARE), by=card)

    assert found.limit(80 * GIB) == 20 * GIB


def test_a_share_is_of_an_unknown_card_while_the_api_does_not_tell_the_pod() -> None:
    holdings = find_holdings(told(*share(0, 2)), Known(problem=DOWN), [gpu(0)])

    assert holdings.unresolved.keys() == {Unresolved.ANNOTATION}


def test_a_quota_beyond_the_card_is_no_limit() -> None:
    card = pod("a", ALIYUN_COM_GPU_MEM_IDX="0", ALIYUN_COM_GPU_MEM_POD="20480")

    assert holder(gpu(0), *share(0, 2), by=card).limit(80 * GIB) is None
