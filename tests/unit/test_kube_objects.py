from typing import Any

import pytest

from pd_exporter.kube.collection import Collection
from pd_exporter.kube.failure import KubeFailure, Reason, status_of
from pd_exporter.kube.pod import Owner, Pod
from pd_exporter.kube.pods import pod_of
from tests.fakes.kube_objects import pod, status


@pytest.mark.parametrize(
    ("collection", "path", "resource"),
    [
        (Collection("v1", "pods"), "/api/v1/pods", "pods"),
        (Collection("v1", "pods", namespace="ai"), "/api/v1/namespaces/ai/pods", "pods"),
        (
            Collection("v1alpha1", "scaledobjects", group="keda.sh", namespace="ai"),
            "/apis/keda.sh/v1alpha1/namespaces/ai/scaledobjects",
            "scaledobjects.keda.sh",
        ),
    ],
)
def test_a_collection_knows_its_path_and_its_name(
    collection: Collection, path: str, resource: str
) -> None:
    assert collection.path == path
    assert collection.resource == resource
    assert collection.selectors == {}


def test_a_pod_has_what_its_metadata_says_and_the_annotations_asked_for() -> None:
    shown = pod(
        "engine-0",
        namespace="ai",
        uid="u1",
        labels={"role": "prefill"},
        annotations={"kept": "1", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
        owners=(("RoleInstance", "engine"), ("Other", "o")),
    )

    assert pod_of(shown, annotations={"kept"}) == Pod(
        namespace="ai",
        name="engine-0",
        uid="u1",
        labels={"role": "prefill"},
        annotations={"kept": "1"},
        owners=(Owner("RoleInstance", "engine", controller=True), Owner("Other", "o")),
    )


@pytest.mark.parametrize("empty", [{}, {"labels": None, "annotations": None}])
def test_a_pod_may_have_no_labels(empty: dict[str, Any]) -> None:
    metadata = {"namespace": "ai", "name": "a", "uid": "u", "ownerReferences": None} | empty

    assert pod_of({"metadata": metadata}) == Pod("ai", "a", "u", {}, {})


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"metadata": None},
        {"metadata": {"namespace": "ai", "name": "a"}},
        {"metadata": {"namespace": "ai", "name": 1, "uid": "u"}},
        {"metadata": {"namespace": "ai", "name": "a", "uid": "u", "labels": {"x": 1}}},
        {"metadata": {"namespace": "ai", "name": "a", "uid": "u", "labels": "x"}},
    ],
)
def test_what_is_no_pod_is_refused(shown: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="metadata"):
        pod_of(shown)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (401, Reason.UNAUTHORIZED),
        (403, Reason.FORBIDDEN),
        (404, Reason.NOT_FOUND),
        (410, Reason.GONE),
        (429, Reason.THROTTLED),
        (500, Reason.SERVER_ERROR),
        (302, Reason.SERVER_ERROR),
    ],
)
def test_a_status_tells_what_kind_of_failure_it_is(code: int, reason: Reason) -> None:
    assert status_of(status(code, "Whatever", "words")).failure_reason is reason
    assert status_of(b"<html>", code).failure_reason is reason
    assert status_of({"code": "x", "message": 1}, code).failure_reason is reason


def test_a_version_from_the_future_is_as_good_as_gone() -> None:
    shown = status(504, "Timeout", "Too large", cause="ResourceVersionTooLarge")

    assert status_of(shown).failure_reason is Reason.GONE
    assert status_of(status(504, "Timeout", "slow")).failure_reason is Reason.SERVER_ERROR


@pytest.mark.parametrize("reason", Reason)
def test_every_failure_has_a_cure(reason: Reason) -> None:
    problem = KubeFailure(reason, "It failed.", "deployments.apps").problem

    assert problem.reason == reason.value
    assert problem.cure.endswith(".")
    assert "{" not in problem.cure


def test_the_cure_of_a_denial_names_the_resource() -> None:
    problem = KubeFailure(Reason.FORBIDDEN, "Denied.", "pods").problem

    assert "kubectl auth can-i watch pods -A --as=system:serviceaccount:" in problem.cure
