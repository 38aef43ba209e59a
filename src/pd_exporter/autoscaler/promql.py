"""PromQL expressions built by arithmetic, so that a formula for numbers writes its query too."""

import math
from dataclasses import dataclass
from typing import TypeVar

_SUM, _PRODUCT, _WHOLE = range(3)


@dataclass(frozen=True, slots=True)
class Promql:
    """A PromQL expression; operators give that of the result, with parentheses as needed.

    Attributes:
        text: The expression, such as ``rate(x[1m])``.
        level: How tightly its outermost operator binds; the default is a whole.
    """

    text: str
    level: int = _WHOLE

    def __str__(self) -> str:
        return self.text

    def __add__(self, other: "Promql | float") -> "Promql":
        return _join(self, "+", other, _SUM)

    def __radd__(self, other: float) -> "Promql":
        return _join(other, "+", self, _SUM)

    def __sub__(self, other: "Promql | float") -> "Promql":
        return _join(self, "-", other, _SUM)

    def __rsub__(self, other: float) -> "Promql":
        return _join(other, "-", self, _SUM)

    def __mul__(self, other: "Promql | float") -> "Promql":
        return _join(self, "*", other, _PRODUCT)

    def __rmul__(self, other: float) -> "Promql":
        return _join(other, "*", self, _PRODUCT)

    def __truediv__(self, other: "Promql | float") -> "Promql":
        return self if other == 1 else _join(self, "/", other, _PRODUCT)


Term = TypeVar("Term", float, Promql)
"""A number, or the PromQL expression of one."""


def root(value: Term) -> Term:
    """The square root."""
    if isinstance(value, Promql):
        return Promql(f"sqrt({value.text})")
    return math.sqrt(value)


def first(*candidates: Promql) -> Promql:
    """The first candidate that is present: what ``or`` gives of series with equal labels."""
    return Promql(f"({' or '.join(each.text for each in candidates)})")


def at_least(value: Promql, bound: Promql) -> Promql:
    """The value where it is not below the bound, and nothing elsewhere."""
    return Promql(f"{_within(value, _SUM)} >= {_within(bound, _SUM)}", -1)


def _join(left: Promql | float, operator: str, right: Promql | float, level: int) -> Promql:
    # Operators of one level are taken from the left, so an equal one on the right needs marks.
    return Promql(f"{_within(left, level)} {operator} {_within(right, level + 1)}", level)


def _within(side: Promql | float, level: int) -> str:
    if not isinstance(side, Promql):
        return repr(float(side)).removesuffix(".0")  # reads as the very same number
    return side.text if side.level >= level else f"({side.text})"
