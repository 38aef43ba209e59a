"""The decoder against protobuf's own classes, and against what is no message at all."""

from typing import Any

import pytest
from google.protobuf.message import DecodeError as ProtobufDecodeError
from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.kubelet.allocation import Allocation
from pd_exporter.kubelet.podresources import decode
from pd_exporter.kubelet.protobuf import DecodeError
from tests.fakes.kubelet import (
    ClaimedDevice,
    KubeletContainer,
    KubeletPod,
    answer_of,
    gpu_pod,
    messages,
)

VARINT, FIXED64, BYTES, GROUP, GROUP_END, FIXED32 = range(6)


def varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def tag(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


def field(number: int, content: bytes | str) -> bytes:
    content = content.encode() if isinstance(content, str) else content
    return tag(number, BYTES) + varint(len(content)) + content


def answer(device: bytes) -> bytes:
    """An answer with one container, which holds what a ContainerDevices message says."""
    container = field(1, "main") + field(2, device)
    return field(1, NAMED_POD + field(3, container))


NAMED_POD = field(1, "pod") + field(2, "default")
DEVICE = field(1, "nvidia.com/gpu") + field(2, "GPU-1")


def held(resource: str = "nvidia.com/gpu", device_id: str = "GPU-1") -> Allocation:
    return Allocation("default", "pod", "main", resource, device_id)


def by_protobuf(raw: bytes) -> list[Allocation]:
    """What protobuf's own classes read; raises their DecodeError."""
    response: Any = messages().ListPodResourcesResponse.FromString(raw)
    found = []
    for pod in response.pod_resources:
        for container in pod.containers:
            told = [(d.resource_name, one) for d in container.devices for one in d.device_ids]
            told += [
                (resource.driver_name, resource.device_name)
                for claim in container.dynamic_resources
                for resource in claim.claim_resources
                if resource.driver_name or resource.device_name
            ]
            found += [Allocation(pod.namespace, pod.name, container.name, *one) for one in told]
    return found


def test_devices_are_read_with_their_container() -> None:
    pods = [
        gpu_pod("prefill-0", "GPU-1", "GPU-2", namespace="llm"),
        KubeletPod(
            "decode-0",
            [
                KubeletContainer(name="sidecar"),
                KubeletContainer(
                    {"nvidia.com/mig-1g.10gb": ["MIG-1"], "rdma/hca": ["3"]},
                    [ClaimedDevice("gpu-0")],
                    name="engine",
                ),
            ],
        ),
    ]

    assert decode(answer_of(pods)) == (
        Allocation("llm", "prefill-0", "main", "nvidia.com/gpu", "GPU-1"),
        Allocation("llm", "prefill-0", "main", "nvidia.com/gpu", "GPU-2"),
        Allocation("default", "decode-0", "engine", "nvidia.com/mig-1g.10gb", "MIG-1"),
        Allocation("default", "decode-0", "engine", "rdma/hca", "3"),
        Allocation("default", "decode-0", "engine", "gpu.nvidia.com", "gpu-0"),
    )


def test_a_node_without_pods_holds_nothing() -> None:
    assert decode(b"") == ()


def test_claims_of_old_kubelets_which_tell_no_device_are_skipped() -> None:
    cdi_device = field(1, field(1, "nvidia.com/gpu=gpu-0"))
    claim = field(2, "claim") + field(4, cdi_device) + field(4, field(2, "") + field(4, ""))
    container = field(1, "main") + field(5, claim)

    assert decode(field(1, NAMED_POD + field(3, container))) == ()


@pytest.mark.parametrize(
    "unknown",
    [
        tag(9, VARINT) + b"\xff" * 9 + b"\x01",
        tag(9, FIXED64) + b"\xff" * 8,
        tag(9, FIXED32) + b"\xff" * 4,
        field(9, b"\xff\xff\xff"),
        tag(2**29 - 1, VARINT) + b"\x00",
    ],
    ids=["varint", "fixed64", "fixed32", "bytes", "largest number"],
)
def test_unknown_fields_are_skipped(unknown: bytes) -> None:
    assert decode(unknown + answer(unknown + DEVICE + unknown) + unknown) == (held(),)


@pytest.mark.parametrize(
    "device",
    [
        DEVICE + tag(9, VARINT),
        DEVICE + tag(9, VARINT) + b"\x80",
        DEVICE + tag(9, VARINT) + b"\xff" * 10,
        DEVICE + tag(9, VARINT) + b"\xff" * 9 + b"\x02",
        DEVICE + tag(9, VARINT) + b"\x80" * 10 + b"\x00",
        DEVICE + tag(9, FIXED64) + bytes(7),
        DEVICE + tag(9, FIXED32) + bytes(3),
        DEVICE + tag(9, BYTES) + varint(1),
        DEVICE + tag(9, BYTES) + varint(2**32 - 1),
        DEVICE + tag(9, BYTES) + varint(2**32),
        DEVICE + tag(9, GROUP) + tag(9, GROUP_END),
        DEVICE + tag(9, GROUP_END),
        DEVICE + tag(9, 6),
        DEVICE + tag(9, 7),
        DEVICE + tag(0, VARINT) + b"\x00",
        DEVICE + tag(2**29, VARINT) + b"\x00",
        DEVICE + b"\x8a\x80\x80\x80\x80\x00\x00",
        DEVICE + tag(2, VARINT) + b"\x01",
        DEVICE + tag(1, FIXED32) + bytes(4),
        DEVICE + field(2, b"GPU-\xff"),
        DEVICE + field(2, ""),
        field(2, "GPU-1"),
    ],
    ids=[
        "no varint",
        "varint cut off",
        "varint too long",
        "varint too large",
        "varint overlong",
        "fixed64 cut off",
        "fixed32 cut off",
        "bytes cut off",
        "bytes cut off far",
        "length too large",
        "group",
        "end of a group",
        "wire type 6",
        "wire type 7",
        "field 0",
        "field number too large",
        "tag overlong",
        "known field as varint",
        "known field as fixed32",
        "not UTF-8",
        "no device id",
        "no resource",
    ],
)
def test_what_is_malformed_is_refused(device: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(answer(device))


@pytest.mark.parametrize(
    "pod",
    [
        field(1, "pod") + field(3, field(1, "main") + field(2, DEVICE)),
        field(2, "default") + field(3, field(1, "main") + field(2, DEVICE)),
        NAMED_POD + field(3, field(2, DEVICE)),
        NAMED_POD + field(3, field(1, "main") + field(5, field(4, field(2, "gpu.nvidia.com")))),
        NAMED_POD + field(3, field(1, "main") + field(5, field(4, field(4, "gpu-0")))),
    ],
    ids=["namespace", "pod", "container", "claimed device", "driver"],
)
def test_a_device_without_one_of_its_names_is_refused(pod: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(field(1, pod))


def test_claiming_too_much_in_few_bytes_is_refused() -> None:
    with pytest.raises(DecodeError, match="field 2 occurs more than 100000 times"):
        decode(answer(DEVICE + field(2, "x") * 100_000))
    with pytest.raises(DecodeError, match="more than 100000 devices"):
        decode(answer(DEVICE + field(2, "x") * 60_000) * 2)


def string(number: int) -> st.SearchStrategy[bytes]:
    return st.text(min_size=1, max_size=4).map(lambda value: field(number, value))


def message(number: int, content: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return content.map(lambda raw: field(number, raw))


def fields(*parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """The first of these fields among others, in any order, once, more often, or not at all."""
    others = st.lists(st.one_of(*parts), max_size=2).map(b"".join)
    return st.builds(lambda *joined: b"".join(joined), others, parts[0], others)


def named(rest: st.SearchStrategy[bytes], *numbers: int) -> st.SearchStrategy[bytes]:
    """A message with these strings before the rest, which may hold them again."""
    return rest.map(lambda raw: b"".join(field(n, f"name {n}") for n in numbers) + raw)


UNKNOWN = st.one_of(
    st.builds(
        lambda number, value: tag(number, VARINT) + varint(value),
        st.integers(6, 2**29 - 1),
        st.integers(0, 2**64 - 1),
    ),
    st.binary(min_size=8, max_size=8).map(lambda raw: tag(7, FIXED64) + raw),
    st.binary(min_size=4, max_size=4).map(lambda raw: tag(8, FIXED32) + raw),
    st.binary(max_size=4).map(lambda raw: field(9, raw)),
)
TOPOLOGY = st.just(field(3, field(1, tag(1, VARINT) + varint(1))))
CPU_IDS = st.sampled_from([field(3, bytes([1, 2])), tag(3, VARINT) + varint(5)])
DEVICES = named(fields(string(2), string(1), TOPOLOGY, UNKNOWN), 1)
CLAIMED = named(fields(string(3), string(2), string(4), string(5), UNKNOWN), 2, 4)
CLAIM = fields(message(4, CLAIMED), string(2), string(3), UNKNOWN)
CONTAINER = named(
    fields(message(2, DEVICES), message(5, CLAIM), string(1), CPU_IDS, UNKNOWN),
    1,
)
POD = named(fields(message(3, CONTAINER), string(1), string(2), UNKNOWN), 1, 2)
ANSWER = fields(message(1, POD), UNKNOWN)


@given(ANSWER)
def test_every_answer_is_read_as_protobuf_reads_it(raw: bytes) -> None:
    assert list(decode(raw)) == by_protobuf(raw)


def agrees_or_refuses(raw: bytes) -> None:
    """Nothing but DecodeError is raised, and nothing is read differently than by protobuf."""
    try:
        read = decode(raw)
    except DecodeError:
        return
    try:
        expected = by_protobuf(raw)
    except ProtobufDecodeError:
        return  # malformed in a part that the decoder has no use for
    assert list(read) == expected


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_or_read_as_protobuf_reads_them(raw: bytes) -> None:
    agrees_or_refuses(raw)


@given(ANSWER, st.data())
def test_damaged_answers_are_refused_or_read_as_protobuf_reads_them(
    raw: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(raw)
    for _ in range(data.draw(st.integers(0, 3))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    agrees_or_refuses(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))
