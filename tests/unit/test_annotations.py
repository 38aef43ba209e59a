"""What a pod's annotations say of its share of a GPU."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.kubelet.annotations import Assignment, assignments, malformed
from pd_exporter.kubelet.deviceids import DeviceRef

GIB = 1 << 30
MIB = 1 << 20
CARD = 80 * GIB
GPU = "GPU-0fc3eda5-e98b-a25b-5b0d-cf5c855d1448"
OTHER_GPU = "GPU-9192ed3d-b840-cb99-dfe0-2212e49ee1ed"

ALLOCATION = "scheduler.framework.gpushare.allocation"
INDEX = "ALIYUN_COM_GPU_MEM_IDX"
POD = "ALIYUN_COM_GPU_MEM_POD"
WHOLE = "ALIYUN_COM_GPU_MEM_DEV"
HAMI = "hami.io/vgpu-devices-allocated"


def minor(number: int) -> DeviceRef:
    return DeviceRef(minor=number, shared=True)


def uuid(text: str) -> DeviceRef:
    return DeviceRef(uuid=text, shared=True)


@pytest.mark.parametrize("unit", [1, 1024], ids=["GiB", "MiB"])
def test_a_gpushare_pod_has_its_units_part_of_the_card_whatever_the_unit(unit: int) -> None:
    annotations = {INDEX: "1", POD: str(8 * unit), WHOLE: str(80 * unit)}

    (assignment,) = assignments(annotations)

    assert assignment.device == minor(1)
    assert assignment.limit(CARD) == 8 * GIB


def test_without_the_whole_cards_units_a_unit_is_a_gibibyte() -> None:
    (assignment,) = assignments({INDEX: "0", POD: "8"})

    assert assignment.limit(CARD) == 8 * GIB


def test_a_quota_beyond_the_card_is_no_limit() -> None:
    (assignment,) = assignments({INDEX: "0", POD: "8138"})

    assert assignment.limit(CARD) is None


def test_a_card_without_units_is_a_card_without_a_limit() -> None:
    (assignment,) = assignments({INDEX: "3"})

    assert assignment == Assignment(minor(3))
    assert assignment.limit(CARD) is None


@pytest.mark.parametrize(
    "annotations",
    [
        {},
        {"prometheus.io/scrape": "true"},
        {POD: "8", WHOLE: "80"},
        {INDEX: "-1", POD: "8", WHOLE: "80"},
        {ALLOCATION: "{}"},
        {HAMI: ""},
        {HAMI: ";;"},
    ],
)
def test_a_pod_to_which_nothing_is_assigned_has_nothing(annotations: dict[str, str]) -> None:
    assert assignments(annotations) == ()
    assert malformed(annotations) is None


def test_a_cards_units_are_summed_over_the_pods_containers() -> None:
    annotations = {ALLOCATION: '{"0": {"1": 1, "0": 4}, "1": {"1": 7}}'}

    assert assignments(annotations) == (
        Assignment(minor(1), quota=8 * GIB),
        Assignment(minor(0), quota=4 * GIB),
    )


def test_the_allocation_by_card_is_told_before_the_one_card() -> None:
    annotations = {INDEX: "3", POD: "8", ALLOCATION: '{"0": {"1": 2}}'}

    assert assignments(annotations) == (Assignment(minor(1), quota=2 * GIB),)


def test_hami_tells_cards_and_mebibytes_by_container() -> None:
    annotations = {HAMI: f";{GPU},NVIDIA,3000,30:{OTHER_GPU},NVIDIA,4096,0:;"}

    assert assignments(annotations) == (
        Assignment(uuid(GPU), quota=3000 * MIB),
        Assignment(uuid(OTHER_GPU), quota=4096 * MIB),
    )


def test_two_parts_of_a_card_in_one_container_of_hami_add_up() -> None:
    annotations = {HAMI: f"{GPU},NVIDIA,3000,0:{GPU},NVIDIA,1000,0:;"}

    assert assignments(annotations) == (Assignment(uuid(GPU), quota=4000 * MIB),)


def test_no_mebibytes_of_hami_are_no_quota() -> None:
    assert assignments({HAMI: f"{GPU},NVIDIA,0,0:;"}) == (Assignment(uuid(GPU)),)


def test_a_card_of_two_containers_of_hami_has_no_known_quota() -> None:
    annotations = {HAMI: f"{GPU},NVIDIA,3000,0:;{GPU},NVIDIA,3000,0:;"}

    assert assignments(annotations) == (Assignment(uuid(GPU)),)


def test_hamis_own_number_of_a_mig_slice_leaves_the_card() -> None:
    assert assignments({HAMI: f"{GPU}[1-0],NVIDIA,10240,0:;"}) == (
        Assignment(uuid(GPU), quota=10240 * MIB),
    )


@pytest.mark.parametrize(
    ("annotations", "culprit"),
    [
        ({INDEX: ""}, INDEX),
        ({INDEX: "0,1"}, INDEX),
        ({INDEX: "-2"}, INDEX),
        ({INDEX: "0", POD: "a lot"}, INDEX),
        ({INDEX: "0", POD: "0", WHOLE: "80"}, INDEX),
        ({INDEX: "0", POD: "8", WHOLE: "0"}, INDEX),
        ({INDEX: "0", POD: "81", WHOLE: "80"}, INDEX),
        ({INDEX: "0", POD: "9" * 5000}, INDEX),
        ({INDEX: "0", ALLOCATION: ""}, ALLOCATION),
        ({ALLOCATION: "[]"}, ALLOCATION),
        ({ALLOCATION: "[" * 100_000}, ALLOCATION),
        ({ALLOCATION: '{"0": 4}'}, ALLOCATION),
        ({ALLOCATION: '{"0": {"a": 4}}'}, ALLOCATION),
        ({ALLOCATION: '{"0": {"1": "4"}}'}, ALLOCATION),
        ({ALLOCATION: '{"0": {"1": 4.5}}'}, ALLOCATION),
        ({ALLOCATION: '{"0": {"1": -4}}'}, ALLOCATION),
        ({ALLOCATION: '{"0": {"1": true}}'}, ALLOCATION),
        ({HAMI: "GPU-a10,NVIDIA,9211,40:;"}, HAMI),
        ({HAMI: f"{GPU}-3,NVIDIA,9211,40:;"}, HAMI),
        ({HAMI: f"{GPU},NVIDIA:;"}, HAMI),
        ({HAMI: f"{GPU},NVIDIA,-1,0:;"}, HAMI),
        ({HAMI: GPU}, HAMI),
    ],
)
def test_an_annotation_that_cannot_be_read_assigns_nothing_and_is_named(
    annotations: dict[str, str], culprit: str
) -> None:
    assert assignments(annotations) == ()
    assert malformed(annotations) == culprit


@given(
    st.dictionaries(
        st.sampled_from([ALLOCATION, INDEX, POD, WHOLE, HAMI]),
        st.text()
        | st.integers().map(str)
        | st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text("01"), inner),
        ).map(json.dumps),
    ),
    st.integers(0, 1 << 50),
)
def test_no_annotation_is_too_odd_and_no_limit_is_beyond_the_card(
    annotations: dict[str, str], total: int
) -> None:
    for assignment in assignments(annotations):
        limit = assignment.limit(total)

        assert limit is None or 0 <= limit <= total
        assert malformed(annotations) is None
