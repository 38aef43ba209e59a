"""The overlay `tutorial` against what Alibaba's tutorial has, as the page on migrating shows it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pd_exporter.autoscaler.keda import hpa_name, metric_name
from pd_exporter.policy import TUTORIAL_LAG_THRESHOLD, TUTORIAL_MAX_REPLICAS
from tests.manifests import DEPLOY, of_kind, render

OVERLAY = DEPLOY / "overlays/tutorial"
PAGE = DEPLOY.parent / "docs/migrating.md"
BEGIN, END = "<!-- Written by its test with --update-golden -->\n", "<!-- end -->"

TUTORIAL = {
    "name": "dynamo-prefill-scaledobject",
    "namespace": "default",
    "HPA": "keda-hpa-dynamo-prefill-scaledobject",
    "target": "RoleBasedGroupScalingAdapter dynamo-pd-prefill, workloads.x-k8s.io/v1alpha1",
    "trigger": "nats-jetstream, metric s0-nats-jetstream-dynamo_prefill_queue",
    "asks": "nats.default.svc.cluster.local:8222, account $G",
    "stream": "dynamo_prefill_queue",
    "consumer": "worker-group",
    "lag for each replica": "5",
    "minReplicaCount": "1",
    "maxReplicaCount": "6",
    "pollingInterval": "30",
    "cooldownPeriod": "none",
    "fallback": "none",
    "behavior": "none",
    "an answer that is missing": "an old value or 0",
}
OTHER = {"target", "trigger", "asks", "pollingInterval", "an answer that is missing"}
SAME = [heading for heading in TUTORIAL if heading not in OTHER]


def ours() -> dict[str, str]:
    """What the overlay renders to, by the same headings."""
    objects = render(OVERLAY)
    (scaled,) = of_kind(objects, "ScaledObject")
    spec = scaled["spec"]
    (trigger,) = spec["triggers"]
    target = spec["scaleTargetRef"]
    service = next(
        told["data"]
        for told in of_kind(objects, "ConfigMap")
        if told["metadata"]["name"].startswith("pd-exporter-service-")
    )
    return {
        "name": scaled["metadata"]["name"],
        "namespace": scaled["metadata"]["namespace"],
        "HPA": hpa_name(scaled["metadata"]["name"]),
        "target": f"{target['kind']} {target['name']}, {target['apiVersion']}",
        "trigger": f"{trigger['type']}, metric {metric_name()}",
        "asks": f"the exporter asks {service['NATS_URL']}, KEDA asks Prometheus",
        "stream": service["NATS_STREAM"],
        "consumer": service["NATS_CONSUMER"],
        "lag for each replica": trigger["metadata"]["threshold"],
        "minReplicaCount": str(spec["minReplicaCount"]),
        "maxReplicaCount": str(spec["maxReplicaCount"]),
        "pollingInterval": str(spec.get("pollingInterval", "none: KEDA's default is 30")),
        "cooldownPeriod": str(spec.get("cooldownPeriod", "none")),
        "fallback": str(spec.get("fallback", "none")),
        "behavior": str(spec.get("advanced", "none")),
        "an answer that is missing": {"false": "an error, and the HPA holds"}[
            trigger["metadata"]["ignoreNullValues"]
        ],
    }


@pytest.mark.parametrize("heading", SAME)
def test_the_overlay_has_the_tutorial_s(heading: str) -> None:
    assert ours()[heading] == TUTORIAL[heading]


def test_the_numbers_are_the_policy_s() -> None:
    assert ours()["lag for each replica"] == f"{TUTORIAL_LAG_THRESHOLD:g}"
    assert ours()["maxReplicaCount"] == f"{TUTORIAL_MAX_REPLICAS}"


def test_the_page_shows_both(request: pytest.FixtureRequest) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    table, _, after = rest.partition(END)
    found = "".join(
        f"| {heading} | {TUTORIAL[heading]} | {value} |\n" for heading, value in ours().items()
    )
    found = f"\n| | tutorial | overlay |\n|---|---|---|\n{found}\n"
    if request.config.getoption("--update-golden"):
        PAGE.write_text(before + BEGIN + found + END + after)
        table = found

    assert table == found


def test_the_stress_test_is_the_tutorial_s() -> None:
    pod: dict[str, Any] = yaml.safe_load(Path(OVERLAY / "stress-test.yaml").read_text())
    (container,) = pod["spec"]["containers"]

    assert pod["metadata"]["namespace"] == "default"
    assert {
        "--backend=openai-chat",
        "--host=dynamo-service",
        "--port=8000",
        "--endpoint=/v1/chat/completions",
        "--served-model-name=qwen",
        "--dataset-name=random",
        "--random-input-len=1500",
        "--random-output-len=100",
        "--num-prompts=320",
        "--max-concurrency=32",
    } <= set(container["args"])
