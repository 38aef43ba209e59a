import math

import pytest
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from pd_exporter.samples import Desc, Kind, Sample, SampleError, check_unique, families

DEPTH = Desc("pd_depth_messages", "Depth.", Kind.GAUGE, ("queue", "role"))
SEEN = Desc("pd_seen_total", "Seen.", Kind.COUNTER, ())
BUILD = Desc("pd_build_info", "Build.", Kind.INFO, ("version",))


class Rendered:
    """Samples as something that prometheus_client renders."""

    def __init__(self, *samples: Sample) -> None:
        self.collect = lambda: families(samples)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("pd_seen", Kind.COUNTER), ("pd_build", Kind.INFO), ("pd_depth_total", Kind.GAUGE)],
)
def test_a_name_tells_its_kind(name: str, kind: Kind) -> None:
    with pytest.raises(SampleError, match=name):
        Desc(name, "Help.", kind, ())


def test_a_help_is_a_sentence() -> None:
    with pytest.raises(SampleError, match="full stop"):
        Desc("pd_depth", "Depth", Kind.GAUGE, ())


@pytest.mark.parametrize(
    "labels",
    [{}, {"queue": "q"}, {"queue": "q", "role": "r", "pod": "p"}, {"queue": "q", "rol": ""}],
)
def test_a_sample_has_exactly_its_metric_s_labels(labels: dict[str, str]) -> None:
    with pytest.raises(SampleError, match="pd_depth_messages has labels"):
        DEPTH.sample(1, labels)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_is_a_finite_number(value: float) -> None:
    with pytest.raises(SampleError, match="pd_seen_total"):
        SEEN.sample(value, {})


def test_a_series_is_given_once() -> None:
    one, other = (
        DEPTH.sample(1, {"queue": "a", "role": ""}),
        DEPTH.sample(2, {"queue": "b", "role": ""}),
    )

    check_unique([one, other, SEEN.sample(1, {})])
    with pytest.raises(SampleError, match="given twice"):
        check_unique([one, other, DEPTH.sample(3, {"role": "", "queue": "a"})])


def test_families_render_as_text_and_as_openmetrics() -> None:
    page = Rendered(
        DEPTH.sample(3, {"role": "prefill", "queue": "a"}),
        SEEN.sample(7, {}),
        DEPTH.sample(4, {"role": "prefill", "queue": 'b"\\'}),
        BUILD.sample(1, {"version": "1"}),
    )

    assert generate_latest(page).decode() == (
        "# HELP pd_depth_messages Depth.\n"
        "# TYPE pd_depth_messages gauge\n"
        'pd_depth_messages{queue="a",role="prefill"} 3.0\n'
        'pd_depth_messages{queue="b\\"\\\\",role="prefill"} 4.0\n'
        "# HELP pd_seen_total Seen.\n"
        "# TYPE pd_seen_total counter\n"
        "pd_seen_total 7.0\n"
        "# HELP pd_build_info Build.\n"
        "# TYPE pd_build_info gauge\n"
        'pd_build_info{version="1"} 1.0\n'
    )
    assert generate_openmetrics(page).decode().splitlines()[4:] == [  # type: ignore[no-untyped-call]
        "# HELP pd_seen Seen.",
        "# TYPE pd_seen counter",
        "pd_seen_total 7.0",
        "# HELP pd_build Build.",
        "# TYPE pd_build info",
        'pd_build_info{version="1"} 1.0',
        "# EOF",
    ]
