"""Alibaba Managed Prometheus: the overlay `ack`, its components, and the rules for import."""

import re
from itertools import permutations
from pathlib import Path

import pytest
import yaml

from pd_exporter.policy import RULE_SECONDS
from pd_exporter.rules.alerts.groups import ALERTS
from pd_exporter.rules.command import FORMS
from pd_exporter.rules.deployforms import compact
from pd_exporter.rules.forms import LATE_SECONDS
from pd_exporter.rules.triggers import SIGNALS, Signal
from tests.kinds import Object
from tests.manifests import (
    DEPLOY,
    copied,
    of_kind,
    render,
    render_whole,
    render_with,
    take_in_all,
)
from tests.servers import program, run

ACK = DEPLOY / "overlays/ack"
COMPONENTS = DEPLOY / "components"
IMPORTED = DEPLOY / "alibaba"
PREFILL = 'namespace="default",group="dynamo-pd",role="prefill"'
DECODE = 'namespace="default",group="dynamo-pd",role="decode"'
DISCOVERY = {"arms.prometheus.io/discovery": "true", "arms.prometheus.io/resource": "arms"}

# What the provider's documentation has, and its acceptance tests use.
ARGUMENTS = {
    "alicloud_arms_prometheus_alert_rule": {
        *("cluster_id", "prometheus_alert_rule_name", "expression", "duration", "message"),
        *("notify_type", "labels", "annotations", "name", "value"),
    },
    "alicloud_cms_agg_task_group": {
        *("source_prometheus_id", "target_prometheus_id"),
        *("agg_task_group_name", "agg_task_group_config"),
    },
    "alicloud_cms_alert_rule_v2": {
        *("workspace", "display_name", "enabled", "annotations", "labels", "datasource_config"),
        *("query_config", "condition_config", "schedule_config", "notify_config", "type"),
        *("instance_id", "expr", "severity", "duration_secs", "interval_secs", "channels"),
        "identifiers",
    },
}


def signal(series: str, source: str) -> Signal:
    (found,) = (each for each in SIGNALS if (each.series, each.source) == (series, source))
    return found


REQUIRED = signal("role:pd_required_workers:sum", "jetstream")
LAG = signal("role:pd_lag_messages:sum", "jetstream")
DEMAND = signal("role:pd_kv_cache_demand:sum", "engine")
MEMORY = signal("role:pd_gpu_memory_utilization:sum", "nvml")


def components(*names: str) -> tuple[Object, ...]:
    return render_with(*(COMPONENTS / name for name in names))


def told(objects: tuple[Object, ...], role: str) -> Object:
    """The ScaledObject of a role."""
    (found,) = (
        each
        for each in of_kind(objects, "ScaledObject")
        if each["metadata"]["labels"]["pd-exporter/role"] == role
    )
    return found


def query(objects: tuple[Object, ...], role: str) -> str:
    """A role's query without its layout."""
    text: str = told(objects, role)["spec"]["triggers"][0]["metadata"]["query"]
    return bare(text)


def bare(expression: str) -> str:
    return "".join(expression.split())


def test_the_overlay_asks_what_the_signals_say() -> None:
    objects = render_whole(ACK)

    assert query(objects, "prefill") == bare(LAG.scraped(PREFILL))
    assert query(objects, "decode") == bare(DEMAND.recorded(LATE_SECONDS, DECODE))


ANY_ORDER = ("prefill-required-scraped", "decode-kv-demand", "fallback")


@pytest.mark.parametrize("order", [*permutations(ANY_ORDER)], ids=" ".join)
def test_the_scraped_query_is_right_whatever_comes_before_and_after(order: tuple[str, ...]) -> None:
    objects = components(*order)

    assert query(objects, "prefill") == bare(REQUIRED.scraped(PREFILL))
    assert query(objects, "decode") == bare(DEMAND.recorded(of=DECODE))


@pytest.mark.parametrize(
    ("component", "role", "expected"),
    [
        ("decode-kv-demand", "decode", DEMAND.recorded(LATE_SECONDS, DECODE)),
        ("decode-gpu-memory", "decode", MEMORY.recorded(LATE_SECONDS, DECODE)),
        ("prefill-required", "prefill", REQUIRED.recorded(LATE_SECONDS, PREFILL)),
        ("prefill-required-scraped", "prefill", REQUIRED.scraped(PREFILL)),
        ("prefill-lag", "prefill", LAG.scraped(PREFILL)),
    ],
)
def test_only_recorded_series_may_be_late(component: str, role: str, expected: str) -> None:
    assert query(components(component, "late-rules"), role) == bare(expected)


def test_a_component_after_late_rules_does_not_undo_them() -> None:
    objects = components("decode-kv-demand", "late-rules", "prefill-required-scraped")

    assert query(objects, "decode") == bare(DEMAND.recorded(LATE_SECONDS, DECODE))


@pytest.mark.parametrize(("version", "mode"), [("v1", "custom"), ("v2", "basic")])
def test_every_trigger_logs_in_with_what_its_namespace_has(version: str, mode: str) -> None:
    chosen = ("prefill-lag", "decode-kv-demand", "engine-metrics", f"alibaba-{version}")
    objects = components(*chosen)
    (login,) = of_kind(objects, "TriggerAuthentication")
    scaled = list(of_kind(objects, "ScaledObject"))

    assert len(scaled) == 2
    for each in scaled:
        (trigger,) = each["spec"]["triggers"]
        assert each["metadata"]["namespace"] == login["metadata"]["namespace"]
        assert trigger["authenticationRef"] == {"name": login["metadata"]["name"]}
        assert trigger["metadata"]["authModes"] == mode


@pytest.mark.parametrize("component", ["alibaba-discovery", "alibaba-v1", "alibaba-v2"])
def test_the_agent_discovers_every_podmonitor(component: str) -> None:
    monitors = list(of_kind(components("engine-metrics", component), "PodMonitor"))

    assert len(monitors) == 3
    assert all(each["metadata"]["annotations"] == DISCOVERY for each in monitors)


def test_the_overlay_holds_with_any_version_of_keda_and_brings_no_prometheusrule() -> None:
    objects = render(ACK)

    assert not any("fallback" in each["spec"] for each in of_kind(objects, "ScaledObject"))
    assert list(of_kind(objects, "PrometheusRule")) == []


@pytest.fixture
def renamed(tmp_path: Path) -> Path:
    """A copy of the overlay in which the service is called otherwise, V1 and required workers."""
    overlay = copied(ACK, tmp_path)
    take_in_all(overlay)
    changes = {
        "service.env": {"=default\n": "=chat\n", "dynamo-pd": "qwen", ".default.svc": ".nats.svc"},
        "scaling.env": {"dynamo-pd": "qwen", "dynamo-": "qwen-", "workspace-default": "w"},
        "kustomization.yaml": {
            "- ../../components/prefill-lag\n": "- ../../components/prefill-required-scraped\n",
            "- ../../components/alibaba-v2\n": "- ../../components/alibaba-v1\n",
        },
    }
    for name, pairs in changes.items():
        text = (overlay / name).read_text()
        for old, new in pairs.items():
            assert old in text
            text = text.replace(old, new)
        (overlay / name).write_text(text)
    return overlay


def test_another_name_of_the_service_is_changed_in_one_place(renamed: Path) -> None:
    objects = render(renamed)
    of_service = [
        *of_kind(objects, "ScaledObject", "TriggerAuthentication", "RoleBinding"),
        *(each for each in of_kind(objects, "PodMonitor") if "engines" in each["metadata"]["name"]),
    ]

    assert len(of_service) == 5
    assert "dynamo-pd" not in yaml.safe_dump([*objects])
    assert "default" not in yaml.safe_dump(of_service)
    assert {each["metadata"]["namespace"] for each in of_service} == {"chat"}
    of = 'namespace="chat",group="qwen",role='
    assert query(objects, "prefill") == bare(REQUIRED.scraped(f'{of}"prefill"'))
    assert query(objects, "decode") == bare(DEMAND.recorded(of=f'{of}"decode"'))


@pytest.mark.parametrize(
    ("version", "form", "seconds"), [("v1", "recording", RULE_SECONDS), ("v2", "alibaba-v2", 60)]
)
def test_what_is_imported_holds_every_rule(version: str, form: str, seconds: float) -> None:
    text = (IMPORTED / version / "recording.yaml").read_text()
    groups = yaml.safe_load(text)["groups"]
    whole = yaml.safe_load(FORMS[form]())["groups"]
    check = run(program("promtool"), "check", "rules", IMPORTED / version / "recording.yaml")

    assert text == compact(FORMS[form]())
    assert check.returncode == 0, check.stdout + check.stderr
    assert {group["interval"] for group in groups} == {f"{seconds:g}s"}
    for group in (*groups, *whole):
        for rule in group["rules"]:
            rule["expr"] = bare(rule["expr"])
    assert groups == whole


def test_rules_stay_below_the_limits_of_v1() -> None:
    groups = yaml.safe_load((IMPORTED / "v1/recording.yaml").read_text())["groups"]

    assert sum(len(group["rules"]) for group in groups) < 1000


def test_an_alert_waits_for_whole_minutes_as_v1_counts() -> None:
    assert {rule.alert for rule in ALERTS if not re.fullmatch(r"([1-9]\d*m)?", rule.for_)} == set()


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_terraform_reads_the_rules_and_names_what_the_provider_has(version: str) -> None:
    folder = IMPORTED / version
    text = (folder / "main.tf").read_text()
    read = re.findall(r'file\("\$\{path\.module\}/([^"]+)"\)', text)
    resources = re.findall(r'^resource "(\w+)" "\w+" \{\n(.*?)^\}', text, re.DOTALL | re.MULTILINE)

    assert (folder / "../../../rules/alerts.yaml").resolve() in {
        (folder / each).resolve() for each in read
    }
    assert all((folder / each).exists() for each in read)
    assert resources
    for kind, body in resources:
        used = set(re.findall(r"^ +(\w+) +(?:=|\{)", body, re.MULTILINE)) - {"for_each"}
        assert used <= ARGUMENTS[kind]


def test_severities_are_those_of_both_versions() -> None:
    assert {rule.severity.upper() for rule in ALERTS} <= {"CRITICAL", "WARNING", "INFO"}
