"""What is written reads as what was meant: numbers, parentheses and operators."""

import math
import operator
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.autoscaler.promql import Promql, at_least, first, root

A, B, C = Promql("a"), Promql("b"), Promql("rate(c[1m])")

OPERATORS: Mapping[str, Callable[..., object]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (1, "1"),
        (3600, "3600"),
        (3600.0, "3600"),
        (1234567.0, "1234567"),
        (123456789, "123456789"),
        (2**53, "9007199254740992"),
        (-120.0, "-120"),
        (0.1, "0.1"),
        (1.9, "1.9"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1234567.125, "1234567.125"),
        (1e-7, "1e-07"),
        (1e22, "1e+22"),
    ],
)
def test_a_number_is_written_plainly_and_whole(number: float, text: str) -> None:
    assert (A * number).text == f"a * {text}"
    assert (number * A).text == f"{text} * a"


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53))
def test_a_number_reads_as_the_same(number: float) -> None:
    read = float((A - number).text.removeprefix("a - "))

    assert read == number
    assert math.copysign(1, read) == math.copysign(1, number)


# --- parentheses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (A + B + C, "a + b + rate(c[1m])"),
        (A + (B + C), "a + (b + rate(c[1m]))"),
        (A - (B - C), "a - (b - rate(c[1m]))"),
        (A - B * C, "a - b * rate(c[1m])"),
        ((A - B) * C, "(a - b) * rate(c[1m])"),
        (A * (B + 1), "a * (b + 1)"),
        (A / B / C, "a / b / rate(c[1m])"),
        (A / (B * C), "a / (b * rate(c[1m]))"),
        (A / (B / C), "a / (b / rate(c[1m]))"),
        (A * B / 2, "a * b / 2"),
        (1 - A, "1 - a"),
        (1 - (1 - A), "1 - (1 - a)"),
        (2 * (1 + A), "2 * (1 + a)"),
        (2 + 3 * A, "2 + 3 * a"),
        (A - -2.0, "a - -2"),
        (root(A + B) * 2, "sqrt(a + b) * 2"),
        (A / root(B), "a / sqrt(b)"),
        (root(root(A)), "sqrt(sqrt(a))"),
        (at_least(A, B), "a >= b"),
        (at_least(A - 1, B * 2), "a - 1 >= b * 2"),
        (at_least(A, B) + 1, "(a >= b) + 1"),
        (2 * at_least(A, B), "2 * (a >= b)"),
        (at_least(at_least(A, B), C), "(a >= b) >= rate(c[1m])"),
        (at_least(A, at_least(B, C)), "a >= (b >= rate(c[1m]))"),
        (root(at_least(A, B)), "sqrt(a >= b)"),
        (first(A, B), "(a or b)"),
        (first(at_least(A, B), B, A), "(a >= b or b or a)"),
        (first(A + 1, B) * C, "(a + 1 or b) * rate(c[1m])"),
        (first(first(A, B), C), "((a or b) or rate(c[1m]))"),
        (at_least(first(A, B), C), "(a or b) >= rate(c[1m])"),
    ],
    ids=str,
)
def test_parentheses_are_where_they_are_needed(expression: Promql, text: str) -> None:
    assert str(expression) == expression.text == text


Tree = tuple[Promql | float, float]
"""An expression, and its value."""

numbers = st.one_of(
    st.integers(-9, 9).map(float),
    st.sampled_from([0.1, 1e-7, 1234567.0, 0.1 + 0.2, 2.0**53]),
    st.floats(-1e9, 1e9),
)


def branch(symbol: str, left: Tree, right: Tree) -> Tree:
    """An operator's result; where it is no PromQL or divides by zero, its left side."""
    divides = symbol == "/"
    if divides and (right[1] == 0 or not isinstance(left[0], Promql)):
        return left
    expression = OPERATORS[symbol](left[0], right[0])
    value = OPERATORS[symbol](left[1], right[1])
    assert isinstance(expression, Promql | float)
    assert isinstance(value, float)
    return expression, value


def rooted(tree: Tree) -> Tree:
    expression, value = tree
    if value < 0 or not isinstance(expression, Promql):
        return tree
    return root(expression), math.sqrt(value)


trees = st.recursive(
    st.one_of(
        numbers.map(lambda number: (number, number)),
        numbers.map(lambda number: (Promql(f"vector({number!r})"), number)),
    ),
    lambda inner: st.one_of(
        st.builds(branch, st.sampled_from("+-*/"), inner, inner), inner.map(rooted)
    ),
    max_leaves=25,
)


@given(trees)
def test_an_expression_has_the_value_of_its_tree(tree: Tree) -> None:
    """PromQL and Python agree on the precedence and order of these operators."""
    expression, value = tree
    if not math.isfinite(value):
        return
    if not isinstance(expression, Promql):
        assert expression == value
        return
    names = {"__builtins__": {}, "vector": float, "sqrt": math.sqrt}

    assert eval(expression.text, names) == value  # noqa: S307  the text is our own


def test_the_root_of_a_number_is_a_number() -> None:
    assert root(2.25) == 1.5
