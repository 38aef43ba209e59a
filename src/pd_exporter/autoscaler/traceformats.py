"""The formats of trace files: from lines of text to rows of a time and two numbers of tokens.

Errors here are ValueErrors that say what is wrong and how to cure it; the reader adds where.
"""

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from functools import partial
from itertools import chain
from typing import Any, NamedTuple


class TraceFormat(StrEnum):
    """Formats of trace files. Further columns and keys than those named are passed over."""

    AZURE = "azure"
    """Azure LLM inference 2023 and 2024, CSV: TIMESTAMP (date-time), ContextTokens,
    GeneratedTokens. Source: AzureLLMInferenceDataset2023.md and 2024.md in
    github.com/Azure/AzurePublicDataset."""
    MOONCAKE = "mooncake"
    """Mooncake, a JSON object a line: timestamp (milliseconds), input_length, output_length.
    Source: FAST25-release in github.com/kvcache-ai/Mooncake."""
    BURSTGPT = "burstgpt"
    """BurstGPT, CSV: Timestamp (seconds), Request tokens, Response tokens. Failed requests, which
    have 0 response tokens, are kept: they arrived, and what they cost is not recorded. Its
    BurstGPT_without_fails files leave them out. Source: README of github.com/HPMLL/BurstGPT."""
    CSV = "csv"
    """Any CSV with a header: an arrival column (seconds or ISO 8601 date-times) and, both
    optional, input and output tokens. Names, in any case, of which the first found counts:
    arrival, arrived_at, arrival_time, timestamp or time; input_tokens, prompt_tokens,
    num_prefill_tokens or input_length; output_tokens, completion_tokens, num_decode_tokens or
    output_length. Without a column of tokens, its file says nothing of them."""


class _Columns(NamedTuple):
    """Names of the columns of a CSV format, in lower case."""

    arrival: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


_COLUMNS = {
    TraceFormat.AZURE: _Columns(("timestamp",), ("contexttokens",), ("generatedtokens",)),
    TraceFormat.BURSTGPT: _Columns(("timestamp",), ("request tokens",), ("response tokens",)),
    # arrived_at, num_prefill_tokens and num_decode_tokens are the names of the simulator vidur.
    TraceFormat.CSV: _Columns(
        ("arrival", "arrived_at", "arrival_time", "timestamp", "time"),
        ("input_tokens", "prompt_tokens", "num_prefill_tokens", "input_length"),
        ("output_tokens", "completion_tokens", "num_decode_tokens", "output_length"),
    ),
}
_FORMATS = (
    "azure has TIMESTAMP,ContextTokens,GeneratedTokens; burstgpt has Timestamp,Request tokens,"
    "Response tokens; csv has one of arrival,arrived_at,arrival_time,timestamp,time; mooncake has"
    " a JSON object a line"
)
_LATEST = 1e11  # seconds: the year 5138, so milliseconds since 1970 are over it
_MOST_TOKENS = 10**9


Row = tuple[float, int, int]
"""A request: its time in the file's unit, its input tokens, its output tokens."""


class Rows(NamedTuple):
    """The rows of a trace file, read as they are asked for.

    Attributes:
        rows: One for each request, in the file's order.
        per_second: How many of the rows' unit of time make a second.
        has_inputs: Whether the file gives input tokens; where it does not, they are 0.
        has_outputs: The same of output tokens.
    """

    rows: Iterator[Row]
    per_second: int
    has_inputs: bool
    has_outputs: bool


def read_rows(lines: Iterator[str], trace_format: TraceFormat | None) -> Rows:
    """Read the first line of a trace, and prepare to read its rows.

    Args:
        lines: Of the file, without blank ones.
        trace_format: None tells it from the first line.

    Raises:
        ValueError: There is no line, or the first is not of the format or, where none is given,
            of any. Taking the rows raises it at a bad one.
    """
    first = next(lines, None)
    if first is None:
        raise ValueError("an empty file; fetch the trace again")
    if trace_format is TraceFormat.MOONCAKE or (trace_format is None and first.startswith("{")):
        return Rows(map(_mooncake_row, chain([first], lines)), 1000, True, True)
    header = [column.strip().lower() for column in next(_records([first], strict=False))]
    places = _places(header, trace_format or _told(header))
    rows = _csv_rows(lines, len(header), places)
    return Rows(rows, 1, places.inputs is not None, places.outputs is not None)


class _Places(NamedTuple):
    arrival: int
    inputs: int | None
    outputs: int | None


def _told(header: list[str]) -> TraceFormat:
    """Tell a CSV format from its columns of tokens; one of them is enough, to miss the other."""
    for known in (TraceFormat.AZURE, TraceFormat.BURSTGPT):
        if not set(header).isdisjoint(_COLUMNS[known].inputs + _COLUMNS[known].outputs):
            return known
    return TraceFormat.CSV


def _places(header: list[str], trace_format: TraceFormat) -> _Places:
    arrival, inputs, outputs = (
        next((header.index(name) for name in names if name in header), None)
        for names in _COLUMNS[trace_format]
    )
    whole = inputs is not None and outputs is not None
    if arrival is not None and (whole or trace_format is TraceFormat.CSV):
        return _Places(arrival, inputs, outputs)
    found = ", ".join(map(_shown, header[:12]))
    raise ValueError(
        f"the first line names {found}, which are not the columns of a trace as {trace_format};"
        f" separate them by commas and name them so: {_FORMATS}"
    )


def _records(lines: Iterable[str], *, strict: bool) -> Iterator[list[str]]:
    try:
        yield from csv.reader(lines, strict=strict, skipinitialspace=True)
    except csv.Error as error:
        raise ValueError(
            f"not CSV ({error}); look for a quote or a line end out of place"
        ) from error


def _csv_rows(lines: Iterable[str], width: int, places: _Places) -> Iterator[Row]:
    arrival, inputs, outputs = places
    seconds: Callable[[str], float] | None = None
    for row in _records(lines, strict=True):
        if len(row) != width:
            raise ValueError(
                f"a row of {len(row)} fields under a header of {width}; if the file was cut here,"
                " fetch it again, or delete this line"
            )
        seconds = seconds or _clock(row[arrival])
        yield (
            seconds(row[arrival]),
            0 if inputs is None else _tokens(row[inputs]),
            0 if outputs is None else _tokens(row[outputs]),
        )


def _clock(first: str) -> Callable[[str], float]:
    """Tell from the first row's time how all times of the file are written."""
    try:
        float(first)
    except ValueError:
        return partial(_since, _date_time(first))
    return _seconds


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if 0 <= seconds < _LATEST:  # false of NaN, too
        return seconds
    raise ValueError(
        f"the time {_shown(text)} is not a number of seconds from 0 to {_LATEST:g}; correct it"
        " (milliseconds must be divided by 1000), or delete this line"
    )


def _date_time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)  # of more than six fractional digits it takes six
    except ValueError as error:
        raise ValueError(
            f"the time {_shown(text)} is neither seconds nor a date-time such as"
            " 2023-11-16 18:15:46.680590; correct it, or delete this line"
        ) from error


def _since(origin: datetime, text: str) -> float:
    try:
        # The difference is taken in whole microseconds.
        return (_date_time(text) - origin).total_seconds()
    except TypeError as error:
        raise ValueError(
            f"the time {_shown(text)} and the first row's differ in having an offset from UTC;"
            " write all with one, or none"
        ) from error


def _tokens(text: str) -> int:
    try:
        tokens = int(text)
    except ValueError:
        tokens = -1
    if 0 <= tokens <= _MOST_TOKENS:
        return tokens
    raise ValueError(
        f"the tokens {_shown(text)} are not a whole number from 0 to 1e9; correct it, or delete"
        " this line"
    )


def _mooncake_row(line: str) -> Row:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"not a JSON object a line, as a mooncake trace has ({error}); if the file was cut"
            " here, fetch it again, or delete this line"
        ) from error
    fields = request if isinstance(request, dict) else {}
    return (
        _number(fields, "timestamp", 1000 * _LATEST, int, float),
        _number(fields, "input_length", _MOST_TOKENS, int),
        _number(fields, "output_length", _MOST_TOKENS, int),
    )


def _number(fields: dict[str, Any], key: str, most: float, *types: type) -> Any:
    number: Any = fields.get(key)
    # The type itself, because true is an int, too.
    if type(number) in types and 0 <= number <= most:
        return number
    raise ValueError(
        f"{key} is {_shown(number) if key in fields else 'missing'}, and must be a"
        f" {'number' if float in types else 'whole number'} from 0 to {most:g}; correct it, or"
        " delete this line"
    )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
