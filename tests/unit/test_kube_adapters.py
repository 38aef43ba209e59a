import pytest

from pd_exporter.kube.adapters import rbg_adapter
from tests.fakes.kube_scaling import rbg_adapter as shown


@pytest.mark.parametrize(
    ("selector", "present"),
    [("role=prefill", True), ("", False), (",rbg.workloads.x-k8s.io/component-index=0", False)],
)
def test_a_selector_that_an_hpa_refuses_does_not_count_as_present(
    selector: str, present: bool
) -> None:
    _, adapter = rbg_adapter("v1alpha2")(shown("prefill", selector=selector), None)

    assert adapter.selector_present is present
