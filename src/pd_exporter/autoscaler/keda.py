"""What KEDA makes of a Prometheus answer, and how it names what it makes.

Facts: KEDA v2.20.2, pkg/scalers/{prometheus_scaler.go,scaler.go} and
apis/keda/v1alpha1/scaledobject_webhook.go.
"""

import json
import math
import re
from typing import Any

_LONGEST_NAME = 63
_MAX_MILLI = 2**63 - 1

# As strconv.ParseFloat reads decimal numbers: underscores between digits, but no spaces, no digits
# beyond ASCII, no sign on NaN. Its hexadecimal ones, which Prometheus never writes, are refused.
_DIGITS = r"\d+(_\d+)*"
_DECIMAL = re.compile(
    rf"[+-]?({_DIGITS}\.?({_DIGITS})?|\.{_DIGITS})([eE][+-]?{_DIGITS})?", re.ASCII
)
_INFINITE = re.compile(r"[+-]?inf(inity)?|nan", re.ASCII | re.IGNORECASE)


class QueryError(Exception):
    """A Prometheus answer that KEDA reports as the scaler's error."""


def parse_prometheus(status: int, body: bytes | str, *, ignore_null_values: bool = True) -> float:
    """Give the value KEDA's prometheus scaler takes from an instant query's HTTP answer.

    A null sample is -1, which activates where the activation threshold is lower still, and which
    the HPA sees as 0. Neither the answer's `status` nor its `resultType` is looked at: a matrix
    counts as empty, a scalar is an error.

    Args:
        status: The HTTP status; anything but 2xx is an error.
        body: The answer.
        ignore_null_values: The trigger's setting (KEDA's default is true): an empty result, a
            sample without value, NaN and the infinities are 0 instead of an error.

    Raises:
        QueryError: KEDA would report an error, or panic (over a sample that is no string).

    Source: prometheus_scaler.go, ExecutePromQuery, v2.20.2.
    """
    if not 200 <= status <= 299:
        raise QueryError(f"Prometheus answered with HTTP status {status}.")
    result = _result(body)
    if len(result) > 1:
        raise QueryError(f"The query returned {len(result)} elements. Aggregate them to one.")
    sample = _list(result[0].get("value"), "value") if result else []
    if not sample:
        value = math.nan
    elif len(sample) < 2:
        raise QueryError("The result's value has a time but no sample.")
    else:
        value = _number(sample[1])
    if math.isfinite(value):
        return value
    if ignore_null_values:
        return 0.0
    raise QueryError("The result is empty, or not a finite number; the target may be lost.")


def _result(body: bytes | str) -> list[dict[str, Any]]:
    """Read data.result as Go's decoder does into KEDA's struct: null is empty, a wrong type fails.

    Unlike Go's, keys have to be written as Prometheus writes them.
    """
    text = body if isinstance(body, str) else body.decode(errors="replace")
    try:
        answer = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise QueryError(f"The answer is not JSON: {error}.") from error
    answer = _object(answer, "answer")
    data = _object(answer.get("data"), "data")
    for key, text_or_null in (("status", answer.get("status")), ("type", data.get("resultType"))):
        if not isinstance(text_or_null, str | None):
            raise QueryError(f"The answer's {key} is not a string.")
    result = [_object(item, "result's element") for item in _list(data.get("result"), "result")]
    for item in result:
        _object(item.get("metric"), "metric")
        _list(item.get("value"), "value")
    return result


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _object(value: object, name: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise QueryError(f"The {name} is not an object. Query for a vector, not a scalar.")
    return value


def _list(value: object, name: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise QueryError(f"The {name} is not a list.")
    return value


def _number(sample: object) -> float:
    if sample is None:
        return -1.0
    if not isinstance(sample, str):
        raise QueryError("The sample is not a string, over which KEDA itself panics.")
    if _INFINITE.fullmatch(sample):
        return float(sample)
    if not _DECIMAL.fullmatch(sample) or math.isinf(float(sample)):
        raise QueryError(f"The sample {sample!r} is not a number that a float64 holds.")
    return float(sample)


def quantity_milli(value: float) -> int:
    """Give a value in thousandths as the HPA gets it: three decimals, half to the nearest float.

    What is negative or not finite is 0 since v2.20.2; what int64 can't hold, which KEDA leaves
    undefined, is its maximum. Source: scaler.go, quantityFromFloat64.
    """
    if not math.isfinite(value) or value < 0:
        return 0
    return min(int(f"{value:.3f}".replace(".", "")), _MAX_MILLI)


def is_active(value: float, activation_threshold: float = 0.0) -> bool:
    """Say whether a trigger is active: above its activation threshold, not on it."""
    return value > activation_threshold


def metric_name(trigger: int = 0, scaler: str = "prometheus") -> str:
    """Name the external metric of a ScaledObject's trigger, by its index (from 0) and its kind.

    Source: scaler.go, GenerateMetricNameWithIndex; a nats-jetstream trigger's kind ends with its
    stream's name.
    """
    return f"s{trigger}-{scaler}"


def hpa_name(scaled_object: str) -> str:
    """Name the HPA that KEDA makes for a ScaledObject.

    Raises:
        ValueError: The name is longer than KEDA's webhook admits (since v2.20).
    """
    name = f"keda-hpa-{scaled_object}"
    if len(name) > _LONGEST_NAME:
        raise ValueError(
            f"The ScaledObject's name {scaled_object!r} has {len(scaled_object)} characters. Give "
            f"{_LONGEST_NAME - len(name) + len(scaled_object)} or fewer, or set "
            "advanced.horizontalPodAutoscalerConfig.name."
        )
    return name
