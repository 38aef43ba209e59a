"""Rules that names, rules files and documentation keep among each other."""

import re
import sys
from pathlib import Path

import pytest
import yaml

from pd_exporter import catalogue
from pd_exporter.config import load
from pd_exporter.samples import Desc, Kind
from tests.servers import program, run

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
RULES = yaml.safe_load((ROOT / "rules" / "recording.yaml").read_text())
RECORDED = {rule["record"] for group in RULES["groups"] for rule in group["rules"]}


@pytest.mark.parametrize("desc", EVERY, ids=lambda desc: desc.name)
def test_a_metric_s_name_has_prefix_and_unit(desc: Desc) -> None:
    assert re.fullmatch(r"pd_[a-z0-9]+(_[a-z0-9]+)+", desc.name)
    if desc.kind is Kind.GAUGE and desc.name not in UNITLESS:
        assert desc.name.endswith(UNITS)


def test_a_metric_is_written_once() -> None:
    assert len({desc.name for desc in EVERY}) == len(EVERY)


def test_rules_name_only_what_exists() -> None:
    known = {desc.name for desc in EVERY} | RECORDED
    expressions = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]

    named = set(re.findall(r"[a-z]*:?pd_[a-z_]+(?::[a-z0-9]+)?", "\n".join(expressions)))

    assert named
    assert named <= known


def test_promtool_accepts_the_rules() -> None:
    lint = ("--lint=all", "--lint-fatal", "recording.yaml")
    check = run(program("promtool"), "check", "rules", *lint, folder=ROOT / "rules")

    assert check.returncode == 0, check.stdout + check.stderr


@pytest.mark.parametrize(
    "file", sorted((ROOT / "rules" / "tests").glob("*.test.yaml")), ids=lambda file: file.name
)
def test_the_rules_do_what_their_tests_say(file: Path) -> None:
    check = run(program("promtool"), "test", "rules", file.name, folder=file.parent)

    assert check.returncode == 0, check.stdout + check.stderr


def test_every_recorded_series_has_a_test() -> None:
    tests = "\n".join(file.read_text() for file in (ROOT / "rules" / "tests").glob("*.test.yaml"))

    assert {series for series in RECORDED if series not in tests} == set()


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
