"""A PromQL expression laid out over lines, so that a long one reads as a tree."""

from collections.abc import Iterator

WIDTH = 100
"""Characters of a line, its indentation included; a selector alone may be longer."""

_SET = (" or ", " and ", " unless ")
_COMPARE = (" == ", " != ", " <= ", " < ", " >= ", " > ")
_SUM = (" + ", " - ")
_PRODUCT = (" * ", " / ")
_LOOSEST_FIRST = (_SET, _COMPARE, _SUM, _PRODUCT)
_OPEN, _CLOSE = "([{", ")]}"


def lay_out(expression: str, indent: int = 0) -> str:
    """Break an expression of one line where it is too long, at its loosest operators first.

    Args:
        expression: With single spaces around operators and after commas, and none elsewhere.
        indent: Spaces before each line; they count towards the width.
    """
    return "\n".join(" " * depth + line for depth, line in _lines(expression, indent))


def _lines(expression: str, depth: int) -> Iterator[tuple[int, str]]:
    if depth + len(expression) <= WIDTH:
        yield depth, expression
        return
    operands = _split(expression)
    if len(operands) > 1:
        for position, operand in enumerate(operands):
            yield from _lines(operand, depth if position == 0 else depth + 2)
        return
    opening = _outer(expression)
    if opening is None:
        yield depth, expression
        return
    closing = _matching(expression, opening)
    yield depth, expression[: opening + 1]
    yield from _lines(expression[opening + 1 : closing], depth + 2)
    yield depth, expression[closing:]


def _split(expression: str) -> list[str]:
    """Cut before each operator of the loosest kind that stands outside all brackets."""
    for kind in _LOOSEST_FIRST:
        cuts = [at for at, operator in _operators(expression) if operator in kind]
        if cuts:
            begins = [0, *(cut + 1 for cut in cuts)]
            ends = [*cuts, len(expression)]
            return [expression[begin:end] for begin, end in zip(begins, ends, strict=True)]
    return [expression]


def _operators(expression: str) -> Iterator[tuple[int, str]]:
    every = [operator for kind in _LOOSEST_FIRST for operator in kind]
    for at, depth in _depths(expression):
        if depth == 0 and expression[at] == " ":
            for operator in every:
                if expression.startswith(operator, at):
                    yield at, operator
                    break


def _outer(expression: str) -> int | None:
    """The bracket to open: the longest one outside all others that holds an expression."""
    found = [
        (_matching(expression, at) - at, at)
        for at, depth in _depths(expression)
        if depth == 0 and expression[at] == "(" and not _is_label_list(expression, at)
    ]
    return max(found)[1] if found else None


def _is_label_list(expression: str, at: int) -> bool:
    before = expression[:at].rstrip().rsplit(" ", 1)[-1]
    return before in {"by", "on", "without", "ignoring", "group_left", "group_right"}


def _matching(expression: str, opening: int) -> int:
    level = 0
    for at in range(opening, len(expression)):
        level += (expression[at] in _OPEN) - (expression[at] in _CLOSE)
        if level == 0:
            return at
    raise ValueError(f"unbalanced: {expression}")


def _depths(expression: str) -> Iterator[tuple[int, int]]:
    """Every position with the number of brackets around it; quoted text counts as inside."""
    level, quoted = 0, False
    for at, letter in enumerate(expression):
        if letter == '"':
            quoted = not quoted
        if quoted:
            continue
        level -= letter in _CLOSE
        yield at, level
        level += letter in _OPEN
