"""As much of the protobuf wire format as it takes to read a few fields of a known message.

Stricter than protobuf asks for where leniency could hide something: a wanted field of another wire
type is an error and not an unknown field. Groups, which proto3 does not have, are errors too.
The format: https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator, Sequence

MAX_OCCURRENCES = 100_000
"""More occurrences of one field are refused: in few bytes they could claim much memory."""

_VARINT, _FIXED64, _LENGTH_DELIMITED, _FIXED32 = 0, 1, 2, 5  # wire types
_LONGEST_VARINT = 10
_LONGEST_VARINT_32 = 5
"""Bytes of the longest varint of 64 and of 32 bits."""


class DecodeError(Exception):
    """Bytes that are not the message that they should be."""


def collect(message: memoryview, *numbers: int) -> Sequence[Sequence[memoryview]]:
    """Give what a message holds in some fields, which are strings, bytes or messages.

    Args:
        message: The message's bytes.
        numbers: The wanted fields' numbers; every other field is skipped.

    Returns:
        For each number all of its occurrences in their order, as views into `message`.

    Raises:
        DecodeError: The message is cut off or malformed, or a wanted field has another wire type or
            occurs more than 100,000 times.
    """
    found: dict[int, list[memoryview]] = {number: [] for number in numbers}
    for number, value in _fields(message):
        values = found.get(number)
        if values is None:
            continue
        if value is None:
            raise DecodeError(f"field {number} is of another type than it should be")
        if len(values) == MAX_OCCURRENCES:
            raise DecodeError(f"field {number} occurs more than {MAX_OCCURRENCES} times")
        values.append(value)
    return tuple(found.values())


def text(occurrences: Sequence[memoryview]) -> str:
    """Give a string field's value: of several occurrences the last, of none the empty string.

    Raises:
        DecodeError: It is not UTF-8.
    """
    try:
        return str(occurrences[-1], "utf-8") if occurrences else ""
    except UnicodeDecodeError as error:
        raise DecodeError(f"a string is not UTF-8: {error.reason}") from error


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | None]]:
    """Go through a message's fields: their numbers, and their bytes where length-delimited."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at, _LONGEST_VARINT_32)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise DecodeError("there is no field 0")
        value = None
        if wire_type == _LENGTH_DELIMITED:
            size, start = _varint(message, at, _LONGEST_VARINT_32)
            at = start + size
            value = message[start:at]
        elif wire_type == _VARINT:
            _, at = _varint(message, at, _LONGEST_VARINT)
        elif wire_type == _FIXED64:
            at += 8
        elif wire_type == _FIXED32:
            at += 4
        else:
            raise DecodeError(f"field {number} has wire type {wire_type}")
        if at > len(message):
            raise DecodeError(f"field {number} is cut off")
        yield number, value


def _varint(message: memoryview, start: int, longest: int) -> tuple[int, int]:
    """Read a varint of so many bytes at most; give its value and where it ends."""
    if start < len(message) and message[start] < 0x80:
        return message[start], start + 1  # as nearly all are
    value = 0
    for index, byte in enumerate(message[start : start + longest]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if value >> (64 if longest == _LONGEST_VARINT else 32):
                raise DecodeError("a number is too large")
            return value, start + index + 1
    if start + longest <= len(message):
        raise DecodeError("a number is too long")
    raise DecodeError("a number is cut off")
