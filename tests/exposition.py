"""Reading pages in tests: by name and some labels, absent meaning None."""

import math
from collections.abc import Iterable

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from pd_exporter.scrape import Snapshot


class Page:
    """The samples of one scrape."""

    def __init__(self, source: Snapshot | str) -> None:
        families: Iterable[Metric] = (
            text_string_to_metric_families(source) if isinstance(source, str) else source.collect()
        )
        self.samples: list[Sample] = [sample for family in families for sample in family.samples]

    def get(self, name: str, **labels: str) -> float | None:
        """The only sample of that name with those labels; None where there is none."""
        found = [
            sample.value
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        assert len(found) < 2, f"{name}{labels} is ambiguous"
        return found[0] if found else None

    def value(self, name: str, **labels: str) -> float:
        """Like `get`, for a sample that must be there."""
        found = self.get(name, **labels)
        assert found is not None, f"{name}{labels} is absent"
        assert math.isfinite(found)
        return found

    def errors(self, **labels: str) -> dict[str, float]:
        """Readings that failed, by reason."""
        return {
            sample.labels["reason"]: sample.value
            for sample in self.samples
            if sample.name == "pd_queue_errors_total"
            and labels.items() <= sample.labels.items()
            and sample.value
        }
