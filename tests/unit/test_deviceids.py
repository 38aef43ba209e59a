"""Which GPU a device id names."""

import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.kubelet.deviceids import (
    DRA_DRIVER,
    DeviceRef,
    is_gpu_resource,
    parse_device_id,
    resolve,
)
from pd_exporter.nvml.device import Device, Unit

GPU = "GPU-0fc3eda5-e98b-a25b-5b0d-cf5c855d1448"
OTHER_GPU = "GPU-9192ed3d-b840-cb99-dfe0-2212e49ee1ed"
MIG = "MIG-30d00c09-8a98-59b8-8c1a-1d64b4ec3ad2"
SECOND_MIG = "MIG-4d7f1a52-0000-5b0d-9c1a-1d64b4ec3ad3"
ALIAS_MIG = "MIG-5e8f1a52-0000-5b0d-9c1a-1d64b4ec3ad4"

WHOLE = Device(
    uuid=GPU, index=1, minor=0, model="H100", addressing="", mig=False, units=(Unit(GPU),)
)
LARGE = Unit(MIG, aliases=(ALIAS_MIG,), profile="3g.40gb", gpu_instance=2, placement=0)
SMALL = Unit(SECOND_MIG, profile="1g.10gb", gpu_instance=9, placement=4)
SPLIT = Device(
    uuid=OTHER_GPU, index=0, minor=1, model="H100", addressing="", mig=True, units=(LARGE, SMALL)
)
NODE = (SPLIT, WHOLE)
ALIGNED = (replace(WHOLE, index=0), replace(SPLIT, index=1))
"""The same, with indexes as minor numbers."""


@pytest.mark.parametrize(
    ("text", "resource", "ref"),
    [
        (GPU, "nvidia.com/gpu", DeviceRef(uuid=GPU)),
        (GPU, "example.com/h100", DeviceRef(uuid=GPU)),
        (GPU.upper(), "nvidia.com/gpu", DeviceRef(uuid=GPU)),
        (GPU.lower(), "nvidia.com/gpu", DeviceRef(uuid=GPU)),
        (f"{GPU}::3", "nvidia.com/gpu.shared", DeviceRef(uuid=GPU, shared=True)),
        (MIG, "nvidia.com/mig-1g.10gb", DeviceRef(uuid=MIG)),
        (f"{MIG}::0", "nvidia.com/mig-1g.10gb", DeviceRef(uuid=MIG, shared=True)),
        (f"MIG-{GPU}/3/0", "nvidia.com/gpu", DeviceRef(parent=GPU, gpu_instance=3)),
        (f"mig-{GPU}/3/0::1", "a/b", DeviceRef(parent=GPU, gpu_instance=3, shared=True)),
        ("nvidia4", "nvidia.com/gpu", DeviceRef(minor=4)),
        ("nvidia4/vgpu1", "nvidia.com/gpu", DeviceRef(minor=4, shared=True)),
        ("nvidia4/gi2", "nvidia.com/gpu", DeviceRef(minor=4, gpu_instance=2)),
        (
            "nvidia4/gi2/vgpu0",
            "nvidia.com/gpu",
            DeviceRef(minor=4, gpu_instance=2, shared=True),
        ),
        (f"{GPU}-_-17", "aliyun.com/gpu-mem", DeviceRef(shared=True, counter=True)),
        (f"{GPU}-9", "nvidia.com/gpu", DeviceRef(shared=True, counter=True)),
        ("gpu-0", DRA_DRIVER, DeviceRef(minor=0, numbered=True)),
        (
            "gpu-1-mig-1g5gb-19-4",
            DRA_DRIVER,
            DeviceRef(minor=1, placement=4, profile="1g5gb", numbered=True),
        ),
        (
            "gpu-0-mig-1g24gb-me-20-5",
            DRA_DRIVER,
            DeviceRef(minor=0, placement=5, profile="1g24gb-me", numbered=True),
        ),
        (
            "gpu-0-mig-1c3g20gb-9-4",
            DRA_DRIVER,
            DeviceRef(minor=0, placement=4, profile="1c3g20gb", numbered=True),
        ),
        ("gpu-0-mig-9-4-2", DRA_DRIVER, DeviceRef(minor=0, placement=4, numbered=True)),
    ],
)
def test_an_id_of_a_known_shape_is_read(text: str, resource: str, ref: DeviceRef) -> None:
    assert parse_device_id(text, resource) == ref


@pytest.mark.parametrize(
    ("text", "resource"),
    [
        ("", "nvidia.com/gpu"),
        (GPU[:-1], "nvidia.com/gpu"),
        (f"{GPU}\n", "nvidia.com/gpu"),
        (f"{GPU}::", "nvidia.com/gpu"),
        (f"{GPU}::1::2", "nvidia.com/gpu"),
        (f"{GPU}-_-", "aliyun.com/gpu-mem"),
        (f"{MIG}/1/0", "nvidia.com/gpu"),
        (f"MIG-{GPU}/1", "nvidia.com/gpu"),
        (f"MIG-{GPU}/\N{SUPERSCRIPT TWO}/0", "nvidia.com/gpu"),
        ("nvidia", "nvidia.com/gpu"),
        ("nvidia0/vgpu1/gi2", "nvidia.com/gpu"),
        ("nvidia" + "9" * 5000, "nvidia.com/gpu"),
        ("nvidia0", "example.com/gpu"),
        ("0000:3b:00.0", "amd.com/gpu"),
        ("gpu-0", "nvidia.com/gpu"),
        ("gpu-0", "gpu.example.com"),
        ("gpu-vfio-0", DRA_DRIVER),
        ("gpu-0-mig-1g5gb-19", DRA_DRIVER),
        ("gpu-0-mig-5gb-19-4", DRA_DRIVER),
        ("tegra", "nvidia.com/gpu"),
    ],
)
def test_an_id_of_any_other_shape_is_unknown(text: str, resource: str) -> None:
    assert parse_device_id(text, resource) is None


@given(st.text() | st.text(string.hexdigits + "GPUMIGgpumignvidia:/-_"), st.text())
def test_no_text_is_too_odd_to_be_read(text: str, resource: str) -> None:
    ref = parse_device_id(text, resource)
    parse_device_id(text, DRA_DRIVER)

    assert ref is None or resolve(ref, NODE) is None


@given(st.uuids(), st.booleans(), st.none() | st.integers(0, 99999), st.data())
def test_a_uuid_is_read_back_in_any_letter_case(
    uuid: object, mig: bool, replica: int | None, data: st.DataObject
) -> None:
    canonical = f"{'MIG' if mig else 'GPU'}-{uuid}"
    written = "".join(data.draw(st.sampled_from([c.lower(), c.upper()])) for c in canonical)
    suffix = "" if replica is None else f"::{replica}"

    expected = DeviceRef(uuid=canonical, shared=replica is not None)
    assert parse_device_id(written + suffix, "nvidia.com/gpu") == expected


@pytest.mark.parametrize(
    ("text", "resource", "unit"),
    [
        (GPU, "nvidia.com/gpu", WHOLE.units[0]),
        (f"{GPU}::1", "nvidia.com/gpu", WHOLE.units[0]),
        (MIG, "nvidia.com/gpu", LARGE),
        (ALIAS_MIG, "nvidia.com/gpu", LARGE),
        (f"MIG-{OTHER_GPU}/9/0", "nvidia.com/gpu", SMALL),
        ("nvidia0", "nvidia.com/gpu", WHOLE.units[0]),
        ("nvidia0/vgpu7", "nvidia.com/gpu", WHOLE.units[0]),
        ("nvidia1/gi2", "nvidia.com/gpu", LARGE),
        ("gpu-0", DRA_DRIVER, WHOLE.units[0]),
        ("gpu-1-mig-3g40gb-9-0", DRA_DRIVER, LARGE),
        ("gpu-1-mig-1g12gb-19-4", DRA_DRIVER, SMALL),
        ("gpu-1-mig-19-4-1", DRA_DRIVER, SMALL),
    ],
)
def test_a_reference_resolves_to_the_unit_that_it_names(
    text: str, resource: str, unit: Unit
) -> None:
    ref = parse_device_id(text, resource)
    assert ref is not None

    assert resolve(ref, ALIGNED if resource == DRA_DRIVER else NODE) == unit


@pytest.mark.parametrize("text", ["gpu-0", "gpu-1-mig-3g40gb-9-0"])
def test_a_number_that_may_be_an_index_or_a_minor_number_names_one_gpu_or_none(text: str) -> None:
    ref = parse_device_id(text, DRA_DRIVER)
    assert ref is not None

    assert resolve(ref, NODE) is None
    assert resolve(ref, ALIGNED) is not None


@pytest.mark.parametrize(
    ("text", "resource"),
    [
        pytest.param(OTHER_GPU, "nvidia.com/gpu", id="the uuid of a GPU that has MIG on"),
        pytest.param("nvidia1", "nvidia.com/gpu", id="the number of a GPU that has MIG on"),
        pytest.param("gpu-1", DRA_DRIVER, id="the DRA name of a GPU that has MIG on"),
        pytest.param("nvidia0/gi2", "nvidia.com/gpu", id="an instance of a GPU without"),
        pytest.param("nvidia1/gi3", "nvidia.com/gpu", id="an instance that is not there"),
        pytest.param("nvidia2", "nvidia.com/gpu", id="a GPU that is not there"),
        pytest.param(f"MIG-{GPU}/2/0", "nvidia.com/gpu", id="an instance of another GPU"),
        pytest.param("gpu-1-mig-1g10gb-19-5", DRA_DRIVER, id="a placement with nothing"),
        pytest.param("gpu-1-mig-1g10gb-19-0", DRA_DRIVER, id="a placement with another profile"),
        pytest.param(f"{GPU}-_-3", "aliyun.com/gpu-mem", id="a unit of gpushare"),
        pytest.param(f"{GPU}-3", "nvidia.com/gpu", id="a slot of HAMi"),
    ],
)
def test_a_reference_to_no_unit_resolves_to_none(text: str, resource: str) -> None:
    ref = parse_device_id(text, resource)
    assert ref is not None

    assert resolve(ref, NODE) is None


def test_a_minor_number_that_two_devices_bear_names_neither() -> None:
    ref = DeviceRef(minor=0)

    assert resolve(ref, (WHOLE, replace(SPLIT, minor=0))) is None


@pytest.mark.parametrize("ref", [DeviceRef(minor=1), DeviceRef(uuid=OTHER_GPU)])
def test_a_gpu_with_one_instance_is_not_that_instance(ref: DeviceRef) -> None:
    assert resolve(ref, (replace(SPLIT, units=(LARGE,)),)) is None


def test_an_unknown_minor_number_is_nobodys() -> None:
    assert resolve(DeviceRef(), (replace(WHOLE, minor=None),)) is None


def test_a_placement_that_is_unknown_matches_no_placement() -> None:
    blind = replace(SPLIT, units=(replace(LARGE, placement=None),))

    assert resolve(DeviceRef(minor=1, placement=0), (blind,)) is None


@pytest.mark.parametrize(
    ("resource", "is_gpu"),
    [
        ("nvidia.com/gpu", True),
        ("nvidia.com/gpu.shared", True),
        ("nvidia.com/mig-1g.10gb", True),
        ("nvidia.com/a100", True),
        ("aliyun.com/gpu-mem", True),
        ("volcano.sh/vgpu-number", True),
        ("amd.com/gpu", True),
        (DRA_DRIVER, True),
        ("compute-domain.nvidia.com", False),
        ("nvidia.com/hostdev", False),
        ("nvidia.com/sriov_nic", False),
        ("rdma/hca", False),
        ("rdma/gpu0_rail", False),
        ("cpu", False),
        ("memory", False),
    ],
)
def test_only_what_may_be_a_gpu_is_a_gpu_resource(resource: str, is_gpu: bool) -> None:
    assert is_gpu_resource(resource) is is_gpu
