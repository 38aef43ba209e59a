"""The demo's pods and GPUs: who is where, how full they are, what becomes of sequences."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.demo.cluster.gpus import Gpus
from pd_exporter.demo.cluster.pods import RoleBasedGroup
from pd_exporter.demo.plan import Plan
from pd_exporter.demo.service.decode import FEWEST_PODS, MOST_PODS, Decoding, decode_pods
from pd_exporter.demo.service.engines import (
    GPU_RESERVED,
    GPU_TOTAL,
    MOST_SEQUENCES,
    POOL,
    SEQUENCE,
    WEIGHTS,
    decode_memory,
    kv_cache_utilization,
    loading_memory,
)
from pd_exporter.identity import Identity, identify
from pd_exporter.simulation import SimulatedNode, Simulation

LOADING = 20.0


def gpus_of(
    folder: Path, sequences: Sequence[int], prefill: int = 1, real: Sequence[str] = ()
) -> tuple[Gpus, RoleBasedGroup]:
    """A file of GPUs, and the pods in it; each Decode pod has so many sequences."""
    decoding = Decoding(len(sequences))
    for engine, count in zip(decoding.engines, sequences, strict=True):
        engine.running = count
    group = RoleBasedGroup(prefill, len(sequences))
    return Gpus(folder / "gpus.json", group, decoding, real), group


def written(gpus: Gpus) -> SimulatedNode:
    return SimulatedNode.model_validate_json(gpus.path.read_bytes())


def holders(gpus: Gpus) -> dict[str, tuple[str, ...]]:
    """Devices of each pod, by the pod's name."""
    return {pod.name.removeprefix("dynamo-pd-"): pod.devices for pod in written(gpus).pods}


def test_each_pod_holds_a_simulated_gpu_of_its_own(tmp_path: Path) -> None:
    gpus, _ = gpus_of(tmp_path, [0, 3])
    gpus.write()

    node = written(gpus)
    memory = {gpu.uuid: gpu.used for gpu in node.gpus}
    used = {name: memory.pop(device) for name, (device,) in holders(gpus).items()}
    assert used == {"decode-0": WEIGHTS, "decode-1": WEIGHTS + 3 * SEQUENCE, "prefill-0": POOL}
    assert list(memory.values()) == [0], "one is free"
    assert gpus.pods == gpus.held == 3
    assert all(gpu.model.startswith("Simulated ") for gpu in node.gpus)


def test_a_replica_that_comes_later_loads_its_model_on_the_free_gpu(tmp_path: Path) -> None:
    gpus, group = gpus_of(tmp_path, [0, 0])
    idle = gpus.write()
    before = (holders(gpus), len(written(gpus).gpus))
    group.scale_out_prefill(1)
    group.pods[-1] = replace(group.pods[-1], created=time.time() - LOADING)
    used = gpus.write()

    after = holders(gpus)
    (loads_on,) = after.pop("prefill-1")
    assert (after, len(written(gpus).gpus)) == before
    assert loads_on not in {device for devices in after.values() for device in devices}
    assert used["decode"] == idle["decode"]
    loaded = used["prefill"] - POOL
    assert loading_memory(LOADING) <= loaded < loading_memory(LOADING + 10)


def test_a_model_is_loaded_after_some_minutes() -> None:
    assert loading_memory(0) == 0
    assert loading_memory(3600) == WEIGHTS


def test_what_is_said_to_be_written_is_written(tmp_path: Path) -> None:
    gpus, _ = gpus_of(tmp_path, [1, 4], prefill=3)
    said = gpus.write()

    assert said == {"prefill": 3 * POOL, "decode": 2 * WEIGHTS + 5 * SEQUENCE}
    assert sum(gpu.used for gpu in written(gpus).gpus) == sum(said.values())
    assert list(tmp_path.iterdir()) == [gpus.path]


def test_the_exporter_knows_what_the_pods_are(tmp_path: Path) -> None:
    gpus, group = gpus_of(tmp_path, [0, 0])
    gpus.write()

    pods = Simulation(gpus.path).pods().value
    assert pods is not None
    assert {identify(pod, {}) for pod in pods.values()} == {
        Identity("dynamo-pd", pod.role, pod.name) for pod in group.pods if pod.role != "processor"
    }


@pytest.mark.parametrize(
    ("real", "held"),
    [
        (["GPU-a"], {"decode-0": ("GPU-a",)}),
        (["GPU-a", "GPU-b"], {"decode-0": ("GPU-a",), "prefill-0": ("GPU-b",)}),
    ],
)
def test_real_gpus_are_shared_out_decode_first(
    tmp_path: Path, real: list[str], held: dict[str, tuple[str, ...]]
) -> None:
    gpus, _ = gpus_of(tmp_path, [0, 7], real=real)

    assert gpus.write() == {}
    none = dict.fromkeys(("decode-0", "prefill-0", "decode-1"), ())
    assert holders(gpus) == none | held
    assert written(gpus).gpus == ()
    assert (gpus.simulated, gpus.held, gpus.pods) == (False, len(real), 3)


@given(
    st.builds(
        Plan,
        requests=st.integers(2, 1_000_000),
        workers=st.integers(1, 1000),
        service_seconds=st.floats(1e-6, 3600),
    )
)
def test_there_are_some_decode_pods_whatever_the_plan(plan: Plan) -> None:
    assert FEWEST_PODS <= decode_pods(plan) <= MOST_PODS


def test_a_full_gpu_is_not_fuller_than_it_can_be() -> None:
    assert WEIGHTS < decode_memory(MOST_SEQUENCES) <= POOL < GPU_TOTAL - GPU_RESERVED
    assert 0.9 < kv_cache_utilization(MOST_SEQUENCES) <= 1
    assert kv_cache_utilization(0) == 0


async def test_sequences_go_to_the_emptiest_pod_and_end() -> None:
    decoding = Decoding(2, seconds=0.05)
    for _ in range(5):
        decoding.begin()
    begun = [engine.running for engine in decoding.engines]
    while decoding.unfinished():
        await asyncio.sleep(0.01)

    assert begun == [3, 2]
    assert [engine.running for engine in decoding.engines] == [0, 0]
    assert decoding.finished() == 5
    assert decoding.kv_demand() == 0
    assert decoding.peak_kv_demand() == kv_cache_utilization(3) + kv_cache_utilization(2)


async def test_sequences_without_room_wait_and_count() -> None:
    decoding = Decoding(1, seconds=0.05)
    for _ in range(MOST_SEQUENCES + 2):
        decoding.begin()
    (engine,) = decoding.engines
    full = (engine.running, engine.waiting, decoding.unfinished())
    demand = decoding.kv_demand()
    while decoding.unfinished():
        await asyncio.sleep(0.01)

    assert full == (MOST_SEQUENCES, 2, MOST_SEQUENCES + 2)
    assert demand == kv_cache_utilization(MOST_SEQUENCES + 2) > 1
    assert (engine.running, engine.waiting, engine.peak) == (0, 0, MOST_SEQUENCES + 2)
    assert decoding.finished() == MOST_SEQUENCES + 2
