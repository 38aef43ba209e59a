import math
from array import array

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation

from pd_exporter.autoscaler.generated import Tokens, poisson
from pd_exporter.autoscaler.setting import Setting, SignalPath, named, static
from pd_exporter.autoscaler.simulate import Timeline
from pd_exporter.autoscaler.tune.buckets import Clock, Rows
from pd_exporter.autoscaler.tune.canvas import svg
from pd_exporter.autoscaler.tune.plots import timeline
from pd_exporter.autoscaler.tune.score import Goal, Judge, Measure, Result, Score
from pd_exporter.autoscaler.tune.tradeoff import tradeoff
from pd_exporter.autoscaler.workload import Workload, service_by_distribution


def judge(
    measure: Measure = Measure.TTFT,
    *,
    rate: float = 2.0,
    duration: float = 1200.0,
    unscored: float = 200.0,
) -> Judge:
    trace = poisson(rate, duration, Tokens(), 3)
    service = service_by_distribution(len(trace), 1.0, 0.5, 3)
    workload = Workload(trace.arrivals, service, initial_replicas=3)
    return Judge((workload,), Goal(measure, 2.0), unscored)


def settings(*names: str) -> dict[str, Setting]:
    return {name: named(name, 16, SignalPath()) for name in names}


def result(name: str, *scores: tuple[float, float]) -> Result:
    return Result(Setting(name), tuple(Score(share, hours, 0.5, 4.0) for share, hours in scores))


def points(line: Line2D) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in np.asarray(line.get_xydata())]


def heights(line: Line2D) -> set[float]:
    return {y for _, y in points(line)}


def texts(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


def test_a_timeline_names_every_axis_with_its_unit() -> None:
    figure = timeline(judge(), settings("tutorial", "recommended", "static:4"), 0)
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "requests/s",
        "requests",
        "seconds",
        "replicas",
        "replicas",
        "replicas",
    ]
    assert figure.axes[-1].get_xlabel() == "time since the beginning (min)"
    assert texts(figure)[:3] == [
        "Arrivals, mean of each 30 s",
        "Requests waiting for a worker",
        "Time to first token: at most so long for 95 % of the requests of each 30 s",
    ]


def test_a_timeline_gives_each_setting_a_panel_with_its_own_score() -> None:
    judged = judge()
    figure = timeline(judged, settings("tutorial", "static:4"), 0)
    for name, title in zip(("tutorial", "static:4"), texts(figure)[3:], strict=True):
        score = judged.result(settings(name)[name], [0]).scores[0]
        assert title == (
            f"Replicas: {name} ({score.replica_hours:.1f} replica-hours,"
            f" {score.attainment * 100:.1f} % within the goal)"
        )


@pytest.mark.parametrize("measure", Measure)
def test_a_timeline_is_about_what_the_goal_is_about(measure: Measure) -> None:
    figure = timeline(judge(measure), settings("static:4"), 0)
    assert texts(figure)[2].lower().startswith(measure.words)
    assert {2.0} in map(heights, figure.axes[2].lines)


def test_a_timeline_without_any_wait_is_drawn() -> None:
    figure = timeline(judge(Measure.WAIT, rate=0.05), settings("static:16"), 0)
    assert figure.axes[1].get_ylim() == (0, 1)


def test_a_long_timeline_is_thinned_and_says_so() -> None:
    figure = timeline(judge(rate=0.02, duration=100_000.0), settings("tutorial"), 0)
    assert texts(figure)[0] == "Arrivals, mean of each 10 min"
    assert texts(figure)[1].endswith("(each point the mean of 12 syncs of the HPA)")
    assert figure.axes[-1].get_xlabel() == "time since the beginning (h)"
    assert len(points(figure.axes[1].lines[0])) <= 600


def test_what_is_drawn_is_the_same_to_the_byte_and_leaves_matplotlib_as_it_was() -> None:
    before = dict(rcParams)
    drawings = {svg(timeline(judge(), settings("tutorial"), 0)) for _ in range(2)}
    assert len(drawings) == 1
    assert dict(rcParams) == before
    assert "<dc:date>" not in drawings.pop()


def test_a_figure_can_be_written_twice() -> None:
    figure = timeline(judge(), settings("tutorial"), 0)
    assert svg(figure) == svg(figure)


def test_a_user_s_style_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = svg(timeline(judge(), settings("tutorial"), 0))
    monkeypatch.setitem(rcParams, "font.size", 25)
    assert svg(timeline(judge(), settings("tutorial"), 0)) == plain


COMPARED = (
    result("tutorial", (0.6, 20.0), (0.7, 24.0)),
    result("lag:1", (0.985, 8.0)),
    result("recommended", (0.992, 6.0), (0.994, 6.2)),
    result("static:6", (0.991, 6.05)),
)
FINALISTS = (result("b", (0.95, 5.0)), result("c", (0.991, 5.9), (0.993, 5.9)))


def labels(figure: Figure) -> list[Annotation]:
    return [
        text
        for axes in figure.axes
        for text in axes.texts
        if isinstance(text, Annotation) and text.arrow_patch
    ]


def test_a_tradeoff_names_what_is_compared_and_the_chosen_one_without_overlap() -> None:
    figure = tradeoff(judge(), COMPARED, FINALISTS, FINALISTS[1])
    names = [label.get_text() for label in labels(figure)]
    assert sorted(names) == ["chosen", "lag:1", "recommended", "static:6", "tutorial"]
    boxes = [label.get_window_extent() for label in labels(figure)]
    for number, box in enumerate(boxes):
        assert not box.count_overlaps(boxes[number + 1 :])
        assert figure.bbox.count_contains(box.corners()) == 4


def test_a_tradeoff_names_a_chosen_one_that_is_compared_once() -> None:
    names = [label.get_text() for label in labels(tradeoff(judge(), COMPARED, (), COMPARED[2]))]
    assert "recommended (chosen)" in names
    assert "recommended" not in names


def test_a_tradeoff_has_axes_with_units_and_shows_goal_and_ceiling() -> None:
    judged = judge()
    axes = tradeoff(judged, COMPARED).axes[0]
    assert axes.get_xlabel() == "replica-hours of the whole trace"
    assert axes.get_ylabel() == "requests with a time to first token of 2 s or less"
    shown = {text.get_text() for text in axes.texts}
    assert {"goal: 99 %", f"if nobody waited: {judged.ceiling() * 100:.4g} %"} <= shown


def test_a_tradeoff_draws_every_mean_where_it_is() -> None:
    drawn = {
        point
        for line in tradeoff(judge(), COMPARED, FINALISTS).axes[0].lines
        if line.get_marker() != "None"
        for point in points(line)
    }
    assert drawn == {
        (each.replica_hours.mean, each.attainment.mean) for each in (*COMPARED, *FINALISTS)
    }


@pytest.mark.parametrize("share", [0.0, 0.99, 1.0])
def test_a_tradeoff_of_one_setting_is_drawn(share: float) -> None:
    figure = tradeoff(judge(), [result("static:1", (share, 0.01))])
    low, high = figure.axes[0].get_ylim()
    assert low < share < high
    assert "<svg" in svg(figure)


def test_a_dollar_in_a_name_is_a_dollar() -> None:
    assert "<svg" in svg(tradeoff(judge(), [result("$x_{y$", (0.9, 1.0))]))


def test_buckets_cover_the_trace_and_its_last_arrival() -> None:
    arrivals = array("d", [0.0, 10.0, 29.0, 65.0, 70.0])
    clock = Clock.of(arrivals[-1])
    edges, rates = clock.rates(arrivals)
    assert edges == [0, 0.5, 1.0, 70 / 60]
    assert rates == [3 / 30, 0, 2 / 10, 2 / 10]
    middles, values = clock.percentiles(arrivals, array("d", [1.0, 3.0, 2.0, 5.0, 4.0]))
    assert middles == [0.25, 0.75, 65 / 60]
    assert values[0] == 3.0
    assert math.isnan(values[1])
    assert values[2] == 5.0


@pytest.mark.parametrize(
    ("duration", "bucket"), [(1, "30 s"), (7200, "30 s"), (7201, "60 s"), (86400, "10 min")]
)
def test_a_bucket_is_as_fine_as_can_be_drawn(duration: float, bucket: str) -> None:
    assert Clock.of(duration).bucket_words == bucket


def test_rows_after_the_last_arrival_are_left_out() -> None:
    timeline = Timeline(
        array("d", [0.0, 15.0, 30.0]),
        array("q", [1, 2, 9]),
        array("q", [1, 1, 9]),
        array("q", [0, 4, 9]),
    )
    rows = Rows.of(timeline, Clock.of(20.0))
    assert rows == Rows([0.0, 0.25], [1, 2], [1, 1], [0, 4], 1)


def test_a_fixed_size_is_drawn_as_it_is() -> None:
    axes = timeline(judge(), {"four": static(4)}, 0).axes[3]
    assert heights(axes.lines[0]) == {4}
