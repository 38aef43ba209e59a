"""What names, documentation and generated files keep among each other."""

import re
import sys
from pathlib import Path

import pytest

from pd_exporter import catalogue
from pd_exporter.config import load
from pd_exporter.samples import Desc, Kind
from tests.servers import run

ROOT = Path(__file__).parents[2]
EVERY = [desc for section in catalogue.SECTIONS.values() for desc in section]
UNITS = ("_seconds", "_bytes", "_messages", "_pulls", "_sequence", "_ratio", "_replicas")
UNITLESS = {
    "pd_queue_up",
    "pd_collector_success",
    "pd_queue_worker_concurrency",
    "pd_gpu_up",
    "pd_gpu_pods",
    "pd_gpu_unresolved_device_ids",
    "pd_nvml_up",
    "pd_node_source_up",
    "pd_pod_ready",
    "pd_role_instance_ready",
    "pd_role_replicas_desired",
    "pd_role_replicas_ready",
    "pd_role_replicas_min",
    "pd_role_replicas_max",
    "pd_role_adapter_bound",
    "pd_role_adapter_selector_present",
    "pd_role_hpa_active",
    "pd_role_scaledobject_ready",
    "pd_role_scaledobject_active",
    "pd_role_scaledobject_fallback",
    "pd_role_scaledobject_paused",
    "pd_role_coordination_blocked",
    "pd_role_worker_concurrency",
    "pd_roles_source_up",
}


@pytest.mark.parametrize("desc", EVERY, ids=lambda desc: desc.name)
def test_a_metric_s_name_has_prefix_and_unit(desc: Desc) -> None:
    assert re.fullmatch(r"pd_[a-z0-9]+(_[a-z0-9]+)+", desc.name)
    if desc.kind is Kind.GAUGE and desc.name not in UNITLESS:
        assert desc.name.endswith(UNITS)


def test_a_metric_is_written_once() -> None:
    assert len({desc.name for desc in EVERY}) == len(EVERY)


def test_generated_pages_are_up_to_date() -> None:
    check = run(sys.executable, ROOT / "docs" / "generate.py", "--check")

    assert (check.returncode, check.stderr) == (0, "")


@pytest.mark.parametrize(
    ("page", "section"), [("README.md", "nats"), ("docs/gpu.md", "gpu"), ("docs/roles.md", "roles")]
)
def test_configurations_in_the_documentation_are_right(
    tmp_path: Path, page: str, section: str
) -> None:
    text = (ROOT / page).read_text()
    (example,) = re.findall(rf"```yaml\n({section}:.*?)```", text, re.DOTALL)
    file = tmp_path / "pd-exporter.yaml"
    file.write_text(example)

    config = load(file, {"NATS_PASSWORD": "secret", "NODE_NAME": "node-1"})
    assert config.queues or config.gpu or config.roles
