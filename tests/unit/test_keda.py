"""KEDA's reading of Prometheus, its fallback and its polling loop, against KEDA's own vectors."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.autoscaler.fallback import Fallback, FallbackBehavior, TriggerHealth
from pd_exporter.autoscaler.hpa import (
    ExternalMetric,
    HorizontalPodAutoscaler,
    Scale,
    Spec,
    TargetType,
)
from pd_exporter.autoscaler.keda import (
    QueryError,
    hpa_name,
    is_active,
    metric_name,
    parse_prometheus,
    quantity_milli,
)
from pd_exporter.autoscaler.polling import Activation, polled_replicas

# --- answers --------------------------------------------------------------------------------------


def sample(value: str) -> str:
    """Give an answer with one sample, as Prometheus writes it around the given JSON."""
    return (
        '{"status":"success","data":{"resultType":"vector","result":'
        f'[{{"metric":{{}},"value":[1435781451.781,{value}]}}]}}}}'
    )


@pytest.mark.parametrize(
    ("body", "ignoring", "strictly"),
    [
        # prometheus_scaler_test.go, testPromQueryResult, v2.20.2; None is an error.
        pytest.param("{}", 0, None, id="nothing"),
        pytest.param('{"data":{"result":[]}}', 0, None, id="no element"),
        pytest.param('{"data":{"result":[{"value": []}]}}', 0, None, id="no value"),
        pytest.param('{"data":{"result":[{"value": ["1", "2"]}]}}', 2, 2, id="valid"),
        pytest.param('{"data":{"result":[{"value": ["1"]}]}}', None, None, id="too short"),
        pytest.param('{"data":{"result":[{},{}]}}', None, None, id="two elements"),
        pytest.param(sample('"+Inf"'), 0, None, id="+Inf"),
        pytest.param(sample('"-Inf"'), 0, None, id="-Inf"),
        pytest.param(sample('"NaN"'), 0, None, id="NaN"),
        # facts/keda.md section 2 and prometheus_scaler.go
        pytest.param(sample("null"), -1, -1, id="null sample"),
        pytest.param('{"data":{"result":[{"value":null}]}}', 0, None, id="null value"),
        pytest.param('{"data":{"result":[null]}}', 0, None, id="null element"),
        pytest.param('{"data":{"result":null}}', 0, None, id="null result"),
        pytest.param('{"data":null}', 0, None, id="null data"),
        pytest.param("null", 0, None, id="null"),
        pytest.param(
            '{"data":{"resultType":"scalar","result":[1435781451.781,"1"]}}',
            *(None, None),
            id="scalar",
        ),
        pytest.param(
            '{"data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"5"]]}]}}',
            *(0, None),
            id="matrix",
        ),
        pytest.param(
            '{"data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}',
            *(0, None),
            id="native histogram",
        ),
        pytest.param('{"status":"error","error":"timeout"}', 0, None, id="status error"),
        pytest.param(sample('"3.5"').replace("success", "error"), 3.5, 3.5, id="status unread"),
        pytest.param(sample('"-0.25"'), -0.25, -0.25, id="negative"),
        pytest.param(sample('"1e-400"'), 0, 0, id="vanishing"),
        pytest.param(sample('".5"'), 0.5, 0.5, id="no digit before"),
        pytest.param(sample('"5."'), 5, 5, id="no digit after"),
        pytest.param(sample('"+1E+2"'), 100, 100, id="exponent"),
        pytest.param(sample('"infinity"'), 0, None, id="infinity in full"),
        pytest.param(sample('"1e400"'), None, None, id="too great"),
        pytest.param(sample('""'), None, None, id="empty sample"),
        pytest.param(sample('"-NaN"'), None, None, id="signed NaN"),
        pytest.param(sample('" 1"'), None, None, id="space"),
        pytest.param(sample('"1_000"'), 1000, 1000, id="underscore"),
        pytest.param(sample('"1__000"'), None, None, id="two underscores"),
        pytest.param(sample('"_1"'), None, None, id="underscore first"),
        pytest.param(sample('"1_"'), None, None, id="underscore last"),
        pytest.param(sample('"٣"'), None, None, id="other digits"),
        pytest.param(sample('"many"'), None, None, id="word"),
        pytest.param(sample("2"), None, None, id="number instead of a string"),
        pytest.param("", None, None, id="empty body"),
        pytest.param("{", None, None, id="cut off"),
        pytest.param("{}{}", None, None, id="two bodies"),
        pytest.param('{"data":NaN}', None, None, id="NaN outside a string"),
        pytest.param('{"x":NaN}', None, None, id="NaN in what is not read"),
        pytest.param("[" * 100_000, None, None, id="nested without end"),
        pytest.param("[]", None, None, id="list"),
        pytest.param('{"data":""}', None, None, id="data of a wrong type"),
        pytest.param('{"data":{"result":{}}}', None, None, id="result of a wrong type"),
        pytest.param('{"data":{"result":[{"value":"1"}]}}', None, None, id="value of a wrong type"),
        pytest.param('{"data":{"result":[{"metric":1}]}}', None, None, id="metric of a wrong type"),
        pytest.param('{"status":1}', None, None, id="status of a wrong type"),
        pytest.param('{"data":{"resultType":1}}', None, None, id="resultType of a wrong type"),
    ],
)
def test_answers(body: str, ignoring: float | None, strictly: float | None) -> None:
    for ignore_null_values, expected in ((True, ignoring), (False, strictly)):
        for text in (body, body.encode()):
            if expected is None:
                with pytest.raises(QueryError):
                    parse_prometheus(200, text, ignore_null_values=ignore_null_values)
            else:
                value = parse_prometheus(200, text, ignore_null_values=ignore_null_values)
                assert value == expected


def test_empty_counts_as_zero_by_default() -> None:
    assert parse_prometheus(200, "{}") == 0


@pytest.mark.parametrize("status", [199, 300, 400, 404, 500])
def test_other_statuses_are_errors(status: int) -> None:
    with pytest.raises(QueryError, match=str(status)):
        parse_prometheus(status, sample('"1"'))


@pytest.mark.parametrize("status", [200, 299])
def test_statuses_that_are_not(status: int) -> None:
    assert parse_prometheus(status, sample('"1"')) == 1


def test_broken_utf_8_is_read() -> None:
    assert parse_prometheus(200, b'{"x":"\xff","data":{"result":[{"value":[0,"1"]}]}}') == 1


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_comes_back(value: float) -> None:
    assert parse_prometheus(200, sample(f'"{value!r}"'), ignore_null_values=False) == value


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "milli"),
    [
        # scaler_test.go, TestGenerateMetricInMili, v2.20.2
        (42.5, 42_500),
        (9.3e15, 2**63 - 1),
        (1e18, 2**63 - 1),
        (math.nan, 0),
        (math.inf, 0),
        (-math.inf, 0),
        (-1.0, 0),
        (-9.3e15, 0),
        # three decimals
        (0.0, 0),
        (-0.0, 0),
        (0.0004, 0),
        (0.0005, 1),
        (0.0015, 2),
        (0.0025, 3),
        (0.0625, 62),
        (5, 5000),
        (12.3456, 12_346),
        (9.2e15, 9_200_000_000_000_000_000),
    ],
)
def test_quantity_has_three_decimals(value: float, milli: int) -> None:
    assert quantity_milli(value) == milli


@pytest.mark.parametrize(
    ("value", "threshold", "active"),
    [(0, 0, False), (0.0001, 0, True), (5, 5, False), (6, 5, True), (-1, 0, False), (-1, -2, True)],
)
def test_active_is_above_the_threshold(value: float, threshold: float, active: bool) -> None:
    assert is_active(value, threshold) is active


def test_active_is_above_zero_by_default() -> None:
    assert not is_active(0)
    assert is_active(0.5)


def test_names() -> None:
    assert metric_name() == "s0-prometheus"
    assert metric_name(1, "nats-jetstream-dynamo_prefill_queue") == (
        "s1-nats-jetstream-dynamo_prefill_queue"
    )
    assert hpa_name("dynamo-prefill-scaledobject") == "keda-hpa-dynamo-prefill-scaledobject"
    assert len(hpa_name("a" * 54)) == 63
    with pytest.raises(ValueError, match="55 characters"):
        hpa_name("a" * 55)


# --- fallback -------------------------------------------------------------------------------------

AVERAGE = ExternalMetric(10_000)
WHOLE = ExternalMetric(10_000, TargetType.VALUE)


@pytest.mark.parametrize(
    ("target", "replicas", "behavior", "current", "ready", "passed_on"),
    [
        # fallback_test.go, v2.20.2: target 10
        pytest.param(AVERAGE, 10, "static", 5, None, 100_000, id="static"),
        pytest.param(AVERAGE, 10, "static", 15, None, 100_000, id="static, fewer"),
        pytest.param(AVERAGE, 10, "currentReplicas", 6, None, 60_000, id="current"),
        pytest.param(AVERAGE, 10, "currentReplicasIfHigher", 4, None, 100_000, id="not higher"),
        pytest.param(AVERAGE, 10, "currentReplicasIfHigher", 15, None, 150_000, id="higher"),
        pytest.param(AVERAGE, 10, "currentReplicasIfLower", 4, None, 40_000, id="lower"),
        pytest.param(AVERAGE, 10, "currentReplicasIfLower", 15, None, 100_000, id="not lower"),
        # fallback.go, doFallback
        pytest.param(AVERAGE, 0, "static", 5, None, 0, id="none"),
        pytest.param(ExternalMetric(4007), 4, "static", 1, None, 16_027, id="a thousandth lost"),
        pytest.param(WHOLE, 10, "static", 5, 4, 25_000, id="whole"),
        pytest.param(WHOLE, 10, "static", 5, 3, 33_333, id="whole, cut off"),
        pytest.param(WHOLE, 10, "static", 5, 0, None, id="whole, no pod ready"),
        pytest.param(WHOLE, 10, "static", 5, None, None, id="whole, no pod"),
    ],
)
def test_fallback_value(
    target: ExternalMetric,
    replicas: int,
    behavior: str,
    current: int,
    ready: int | None,
    passed_on: int | None,
) -> None:
    health = TriggerHealth()
    fallback = Fallback(0, replicas, FallbackBehavior(behavior))

    value = health.observe(
        None, fallback=fallback, target=target, current_replicas=current, ready_pods=ready
    )

    assert value == passed_on
    assert health.falling_back is (passed_on is not None)


def observe(health: TriggerHealth, value: int | None, fallback: Fallback | None) -> int | None:
    return health.observe(value, fallback=fallback, target=AVERAGE, current_replicas=1)


def test_fallback_comes_after_more_failures_than_the_threshold() -> None:
    health, fallback = TriggerHealth(), Fallback(3, 10)

    assert [observe(health, None, fallback) for _ in range(5)] == [None] * 3 + [100_000] * 2
    assert (health.failures, health.falling_back) == (5, True)
    assert observe(health, 7, fallback) == 7
    assert (health.failures, health.falling_back) == (0, False)
    assert [observe(health, None, fallback) for _ in range(4)] == [None] * 3 + [100_000]


def test_without_a_fallback_health_is_left_alone() -> None:
    health = TriggerHealth()

    assert observe(health, None, None) is None
    assert health.failures == 0
    observe(health, None, Fallback(3, 10))
    assert observe(health, 7, None) == 7
    assert health.failures == 1


def test_default_fallback_is_static() -> None:
    assert Fallback(3, 4).behavior is FallbackBehavior.STATIC


@pytest.mark.parametrize(("threshold", "replicas"), [(-1, 1), (1, -1)])
def test_negative_fallbacks_are_refused(threshold: int, replicas: int) -> None:
    with pytest.raises(ValueError, match="Give 0 or more"):
        Fallback(threshold, replicas)


def test_real_run_of_a_lost_prometheus() -> None:
    """facts/keda.md section 7: threshold 3, replicas 4: both loops count, 4 replicas at 31 s."""
    health, fallback, target = TriggerHealth(), Fallback(3, 4), ExternalMetric(5000)
    hpa, replicas = HorizontalPodAutoscaler(Spec((target,), 1, 6)), 1
    course = []
    for now, loop in ((0, "poll"), (15, "sync"), (30, "poll"), (31, "sync"), (46, "sync")):
        value = health.observe(None, fallback=fallback, target=target, current_replicas=replicas)
        if loop == "sync":
            replicas = hpa.sync(now, Scale(replicas, replicas), [value]).replicas
        course.append((now, health.failures, replicas))
    assert course == [(0, 1, 1), (15, 2, 1), (30, 3, 1), (31, 4, 4), (46, 5, 4)]


@given(
    target=st.integers(1, 10**7),
    replicas=st.integers(0, 100),
    status=st.integers(1, 100),
)
def test_hpa_goes_to_the_fallbacks_replicas(target: int, replicas: int, status: int) -> None:
    """Whatever is lost in the floats, within tolerance, the HPA gets to the count or holds."""
    metric = ExternalMetric(target)
    value = TriggerHealth().observe(
        None, fallback=Fallback(0, replicas), target=metric, current_replicas=1
    )
    decision = HorizontalPodAutoscaler(Spec((metric,), 1, 100)).sync(
        0, Scale(status, status), [value]
    )
    near = 0.9 <= replicas / status <= 1.1
    assert decision.proposal in ({status, replicas} if near else {replicas})


# --- the polling loop -----------------------------------------------------------------------------

ZERO = Activation()
TWO = Activation(min_replicas=2)
IDLE = Activation(min_replicas=5, idle_replicas=0)


@pytest.mark.parametrize(
    ("scaled", "current", "active", "error", "expected"),
    [
        # scale_scaledobjects_test.go, v2.20.2; at 1000 s, never active, made at 0 s
        pytest.param(ZERO, 5, False, False, (0, None), id="inactive to none"),
        pytest.param(TWO, 1, False, False, (2, None), id="inactive to min from below"),
        pytest.param(TWO, 0, True, False, (2, 1000), id="active to min from none"),
        pytest.param(IDLE, 10, False, False, (0, None), id="inactive to idle"),
        pytest.param(IDLE, 0, True, False, (5, 1000), id="active from idle to min"),
        # scale_scaledobjects.go, RequestScale
        pytest.param(ZERO, 0, True, False, (1, 1000), id="active to one"),
        pytest.param(ZERO, 0, True, True, (1, 1000), id="active to one, some failing"),
        pytest.param(ZERO, 3, True, False, (3, 1000), id="active, the HPA's part"),
        pytest.param(ZERO, 3, True, True, (3, None), id="active, some failing"),
        pytest.param(TWO, 1, True, False, (1, 1000), id="active below min, the HPA's part"),
        pytest.param(IDLE, 3, True, False, (5, 1000), id="active below min, with idle"),
        pytest.param(IDLE, 5, True, False, (5, 1000), id="active at min, with idle"),
        pytest.param(IDLE, 5, True, True, (5, None), id="active at min, some failing"),
        pytest.param(ZERO, 0, False, False, (0, None), id="inactive, none"),
        pytest.param(TWO, 2, False, False, (2, None), id="inactive at min"),
        pytest.param(TWO, 7, False, False, (7, None), id="inactive above min, the HPA's part"),
        pytest.param(IDLE, 0, False, False, (0, None), id="inactive, idle already"),
        pytest.param(ZERO, 3, False, True, (3, None), id="failing"),
        pytest.param(TWO, 1, False, True, (1, None), id="failing below min"),
        pytest.param(
            Activation(fallback=Fallback(3, 4)), 3, False, True, (3, None), id="failing, fallback"
        ),
        pytest.param(
            Activation(fallback=Fallback(3, 0)), 3, False, True, (0, None), id="failing, to none"
        ),
    ],
)
def test_poll(
    scaled: Activation,
    current: int,
    active: bool,
    error: bool,
    expected: tuple[int, float | None],
) -> None:
    assert polled_replicas(scaled, current, 1000, None, active=active, error=error) == expected


@pytest.mark.parametrize(
    ("now", "last_active", "replicas"),
    [(400, 100, 3), (400.5, 100, 0), (60, None, 3), (60.5, None, 0), (60.5, 60, 3)],
)
def test_cooldown_has_to_have_passed(now: float, last_active: float | None, replicas: int) -> None:
    scaled = Activation(initial_cooldown_seconds=50, created=10)

    polled = polled_replicas(scaled, 3, now, last_active, active=False)

    assert polled == (replicas, last_active)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Activation(-1),
        lambda: Activation(2, 2),
        lambda: Activation(2, -1),
        lambda: Activation(0, 1),
    ],
)
def test_counts_that_the_webhook_rejects(build: object) -> None:
    assert callable(build)
    with pytest.raises(ValueError, match="Give 0 or more"):
        build()


def test_idle_of_none_is_accepted_at_min_none() -> None:
    assert Activation(0, 0).idle_replicas == 0
