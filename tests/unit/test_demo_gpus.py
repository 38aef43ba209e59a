"""The demo's pods and GPUs: who is where, how full they are, what becomes of sequences."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.config.schema import ROLE_ALIASES
from pd_exporter.demo.decode import FEWEST_PODS, MOST_PODS, Decoding, decode_pods
from pd_exporter.demo.engines import (
    GPU_RESERVED,
    GPU_TOTAL,
    MOST_SEQUENCES,
    POOL,
    SEQUENCE,
    WEIGHTS,
    decode_memory,
)
from pd_exporter.demo.gpus import Gpus
from pd_exporter.demo.plan import Plan
from pd_exporter.identity import Identity, identify
from pd_exporter.simulation import SimulatedNode, Simulation


def written(gpus: Gpus) -> SimulatedNode:
    return SimulatedNode.model_validate_json(gpus.path.read_bytes())


def holders(gpus: Gpus) -> dict[str, tuple[str, ...]]:
    """Devices of each pod, by the pod's name."""
    return {pod.name: pod.devices for pod in written(gpus).pods}


def test_each_pod_holds_a_simulated_gpu_of_its_own(tmp_path: Path) -> None:
    gpus = Gpus(tmp_path / "gpus.json", 1, lambda: (0, 3), [])
    gpus.write()

    node = written(gpus)
    memory = {gpu.uuid: gpu.used for gpu in node.gpus}
    used = {name: memory[device] for name, (device,) in holders(gpus).items()}
    assert used == {
        "dynamo-pd-decoder-0": WEIGHTS,
        "dynamo-pd-decoder-1": WEIGHTS + 3 * SEQUENCE,
        "dynamo-pd-prefill-0": POOL,
    }
    assert len(memory) == len(node.gpus) == gpus.pods == gpus.held == 3
    assert all(gpu.model.startswith("Simulated ") for gpu in node.gpus)


def test_what_is_said_to_be_written_is_written(tmp_path: Path) -> None:
    sequences = [1, 4]
    gpus = Gpus(tmp_path / "gpus.json", 3, lambda: sequences, [])
    first = gpus.write()
    sequences[:] = [2, 0]
    second = gpus.write()

    assert first == {"prefill": 3 * POOL, "decode": 2 * WEIGHTS + 5 * SEQUENCE}
    assert second == {"prefill": 3 * POOL, "decode": 2 * WEIGHTS + 2 * SEQUENCE}
    assert sum(gpu.used for gpu in written(gpus).gpus) == sum(second.values())
    assert list(tmp_path.iterdir()) == [gpus.path]


def test_the_exporter_knows_what_the_pods_are(tmp_path: Path) -> None:
    gpus = Gpus(tmp_path / "gpus.json", 1, lambda: (0, 0), [])
    gpus.write()

    pods = Simulation(gpus.path).pods().value
    assert pods is not None
    assert {identify(pod, ROLE_ALIASES) for pod in pods.values()} == {
        Identity("dynamo-pd", "decode", "dynamo-pd-decoder-0"),
        Identity("dynamo-pd", "decode", "dynamo-pd-decoder-1"),
        Identity("dynamo-pd", "prefill", "dynamo-pd-prefill-0"),
    }


@pytest.mark.parametrize(
    ("real", "held"),
    [
        (["GPU-a"], {"decoder-0": ("GPU-a",)}),
        (["GPU-a", "GPU-b"], {"decoder-0": ("GPU-a",), "prefill-0": ("GPU-b",)}),
    ],
)
def test_real_gpus_are_shared_out_decode_first(
    tmp_path: Path, real: list[str], held: dict[str, tuple[str, ...]]
) -> None:
    gpus = Gpus(tmp_path / "gpus.json", 1, lambda: (0, 7), real)

    assert gpus.write() == {}
    none = dict.fromkeys(("decoder-0", "prefill-0", "decoder-1"), ())
    assert holders(gpus) == {f"dynamo-pd-{name}": has for name, has in (none | held).items()}
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


async def test_sequences_go_to_the_emptiest_pod_and_end() -> None:
    decoding = Decoding(2, seconds=0.05)
    for _ in range(5):
        decoding.begin()
    await asyncio.sleep(0)
    begun = decoding.sequences()
    while decoding.unfinished():
        await asyncio.sleep(0.01)

    assert begun == (3, 2)
    assert decoding.sequences() == (0, 0)


async def test_sequences_without_room_wait_and_count() -> None:
    decoding = Decoding(1, seconds=3600)
    for _ in range(MOST_SEQUENCES + 2):
        decoding.begin()
    await asyncio.sleep(0)
    full = (decoding.sequences(), decoding.unfinished())
    await decoding.close()

    assert full == ((MOST_SEQUENCES,), MOST_SEQUENCES + 2)
    assert (decoding.sequences(), decoding.unfinished()) == ((0,), 0)
