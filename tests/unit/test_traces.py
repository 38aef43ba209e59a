import gzip
import json
import math
import re
import tracemalloc
from array import array
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pd_exporter.autoscaler.traces import Trace, TraceError, TraceFormat, read_trace

AZURE_2023 = """\
TIMESTAMP,ContextTokens,GeneratedTokens\r
2023-11-16 18:15:46.6805900,374,44\r
2023-11-16 18:15:50.9951690,396,109\r
2023-11-16 18:16:46,879,55"""
AZURE_2024 = """\
TIMESTAMP,ContextTokens,GeneratedTokens
2024-05-10 00:00:00.009930+00:00,2162,5
2024-05-10 00:00:00.017335+00:00,2399,6
2024-05-10 00:00:01+00:00,76,15
"""
MOONCAKE = """\
{"timestamp": 1000, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1, 2, 13]}
{"timestamp": 1001, "input_length": 7322, "output_length": 490, "hash_ids": [0, 14]}
{"timestamp": 30535.5, "input_length": 6760, "output_length": 3, "hash_ids": []}
"""
BURSTGPT = """\
Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type
5,1,2.5,ChatGPT,472,18,490,Conversation log
45.25,,,ChatGPT,1087,230,1317,Conversation log
118,2,0,GPT-4,417,0,417,API log
"""
BURSTGPT_WITHOUT_SESSIONS = """\
Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
5,ChatGPT,472,18,490,Conversation log
45,ChatGPT,1087,230,1317,Conversation log
"""
VIDUR = """\
arrived_at,num_prefill_tokens,num_decode_tokens
0.0,374,44
4.314579,396,109
"""
REAL = {
    "azure 2023": AZURE_2023,
    "azure 2024": AZURE_2024,
    "mooncake": MOONCAKE,
    "burstgpt": BURSTGPT,
    "vidur": VIDUR,
}


def trace_of(
    tmp_path: Path, content: str | bytes, trace_format: TraceFormat | None = None
) -> Trace:
    file = tmp_path / "trace"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_trace(file, trace_format)


def rows(trace: Trace) -> list[tuple[float, int, int]]:
    assert trace.input_tokens is not None
    assert trace.output_tokens is not None
    return list(zip(trace.arrivals, trace.input_tokens, trace.output_tokens, strict=True))


@pytest.mark.parametrize(
    ("content", "trace_format", "expected"),
    [
        (AZURE_2023, TraceFormat.AZURE, [(0, 374, 44), (4.314579, 396, 109), (59.31941, 879, 55)]),
        (AZURE_2024, TraceFormat.AZURE, [(0, 2162, 5), (0.007405, 2399, 6), (0.99007, 76, 15)]),
        (MOONCAKE, TraceFormat.MOONCAKE, [(0, 6758, 500), (0.001, 7322, 490), (29.5355, 6760, 3)]),
        # A failed request, of no response tokens, is kept.
        (BURSTGPT, TraceFormat.BURSTGPT, [(0, 472, 18), (40.25, 1087, 230), (113, 417, 0)]),
        (BURSTGPT_WITHOUT_SESSIONS, TraceFormat.BURSTGPT, [(0, 472, 18), (40, 1087, 230)]),
        (VIDUR, TraceFormat.CSV, [(0, 374, 44), (4.314579, 396, 109)]),
    ],
)
def test_each_format_is_told_from_its_first_line(
    tmp_path: Path,
    content: str,
    trace_format: TraceFormat,
    expected: list[tuple[float, int, int]],
) -> None:
    trace = trace_of(tmp_path, content)

    assert rows(trace) == expected
    assert trace.name == "trace"
    assert trace_of(tmp_path, content, trace_format) == trace


@pytest.mark.parametrize("header", ["arrival", "arrived_at", "arrival_time", "TimeStamp", " TIME "])
def test_a_plain_csv_may_have_no_tokens(tmp_path: Path, header: str) -> None:
    trace = trace_of(tmp_path, f"pod,{header}\na,10\nb,11.5\n")

    assert list(trace.arrivals) == [0, 1.5]
    assert trace.input_tokens is None
    assert trace.output_tokens is None


def test_a_plain_csv_may_have_tokens_of_one_kind_and_date_times(tmp_path: Path) -> None:
    trace = trace_of(
        tmp_path,
        'time,prompt,Prompt_Tokens\n2026-01-01T00:00:00Z,"a, or\n\nb",5\n'
        "2026-01-01T01:00:00.25+01:00,c,0\n",
    )

    assert list(trace.arrivals) == [0, 0.25]
    assert trace.input_tokens == array("q", [5, 0])
    assert trace.output_tokens is None


def test_byte_order_mark_line_ends_and_blank_lines_do_not_matter(tmp_path: Path) -> None:
    text = "\ufeff" + VIDUR.replace("\n", "\r\n") + "\r\n  \r\n"

    assert trace_of(tmp_path, text) == trace_of(tmp_path, VIDUR)
    assert trace_of(tmp_path, f"\n{VIDUR}") == trace_of(tmp_path, VIDUR)
    assert trace_of(tmp_path, f"\ufeff\n{MOONCAKE}\n") == trace_of(tmp_path, MOONCAKE)


def test_rows_out_of_order_are_sorted_and_ties_stay_in_order(tmp_path: Path) -> None:
    text = "arrival,input_tokens,output_tokens\n7,1,10\n5,2,20\n7,3,30\n5,4,40\n"

    assert rows(trace_of(tmp_path, text)) == [(0, 2, 20), (0, 4, 40), (2, 1, 10), (2, 3, 30)]


def test_microseconds_are_kept_far_from_the_first_request(tmp_path: Path) -> None:
    days = "arrival\n2023-11-16 00:00:00.000001\n2024-02-24 00:00:00.000004\n"
    epoch = (
        '{"timestamp": 1715299200001, "input_length": 1, "output_length": 1}\n'
        '{"timestamp": 1715299200002, "input_length": 1, "output_length": 1}\n'
    )

    assert trace_of(tmp_path, days).duration_seconds == 100 * 86400 + 3e-6
    assert trace_of(tmp_path, epoch).duration_seconds == 0.001


def test_a_gzip_file_is_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv.gz"
    whole = gzip.compress(AZURE_2023.encode())
    file.write_bytes(whole)
    assert rows(read_trace(file)) == rows(trace_of(tmp_path, AZURE_2023))

    for broken in (whole[:-12], AZURE_2023.encode(), whole[:20] + b"????" + whole[24:]):
        file.write_bytes(broken)
        with pytest.raises(TraceError, match=r"trace\.csv\.gz: no whole gzip file .*pack it again"):
            read_trace(file)


def test_progress_tells_the_bytes_read(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("arrival\n" + "1\n" * 50_000)
    told: list[int] = []

    read_trace(file, progress=told.append)

    assert len(told) > 3
    assert told == sorted(told)
    assert told[-1] == file.stat().st_size


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", ": an empty file; fetch the trace again"),
        ("\ufeff", ":1: an empty file; fetch the trace again"),
        ("arrival\n\n", ":2: no request after the header; fetch the trace again"),
        ("0.5,100\n", ":1: the first line names '0.5', '100', which are not the columns of a"),
        ("arrival;input_tokens\n1;2\n", ":1: the first line names 'arrival;input_tokens', which"),
        ("TIMESTAMP,ContextTokens\n", "not the columns of a trace as azure; separate them by"),
        ("Timestamp,Response tokens\n", "azure has TIMESTAMP,ContextTokens,GeneratedTokens; burst"),
        ("arrival\nsoon\n", ":2: the time 'soon' is neither seconds nor a date-time such as"),
        ("arrival\n1\n2023-11-16\n", ":3: the time '2023-11-16' is not a number of seconds from"),
        ("arrival\n1\n\n\n-1\n", ":5: the time '-1' is not a number of seconds"),
        ("arrival\nnan\n", ":2: the time 'nan' is not a number of seconds"),
        ("arrival\n1\ninf\n", ":3: the time 'inf' is not a number of seconds"),
        ("arrival\n1715299200001\n", "(milliseconds must be divided by 1000), or delete this line"),
        ("arrival,pod\n1,\n,\n", ":3: the time '' is not a number of seconds"),
        ("time\n2023-11-16\n2023-11-16T00:00Z\n", ":3: the time '2023-11-16T00:00Z' and the first"),
        ("time\n2023-11-16\n2023-13-16\n", ":3: the time '2023-13-16' is neither seconds nor"),
        (AZURE_2023[:-3], ":4: a row of 2 fields under a header of 3; if the file was cut here"),
        ("arrival\n1,5\n", ":2: a row of 2 fields under a header of 1"),
        ("time,input_tokens\n1,many\n", ":2: the tokens 'many' are not a whole number from 0 to"),
        ("time,input_tokens\n1,1.5\n", ":2: the tokens '1.5' are not"),
        ("time,input_tokens\n1,-1\n", ":2: the tokens '-1' are not"),
        ("time,input_tokens\n1," + "9" * 5000, f":2: the tokens '{'9' * 36}... are not"),
        ('time,pod\n1,"a\n2,b\n', ":3: not CSV (unexpected end of data); look for a quote"),
        ("time\r1\r2\r", ":1: not CSV (new-line character seen in unquoted field"),
        ("time\n1\r2\n", ":2: not CSV (new-line character seen in unquoted field"),
        (b"time\n1\n\xff\n", ":3: not UTF-8 text (invalid start byte); save it as UTF-8"),
        ("time\n1\n".encode("utf-16"), ":1: not UTF-8 text"),
        (b"time\n" + bytes(2**21), ":2: a line of over 1 MiB; this is no trace"),
        (MOONCAKE[:-9], ":3: not a JSON object a line, as a mooncake trace has (Untermin"),
        ("{" + '"a":[' * 100_000, ":1: not a JSON object a line"),
        (MOONCAKE + "[1]", ":4: timestamp is missing, and must be a number from 0 to 1e+14"),
        ('{"timestamp": NaN}', ":1: timestamp is nan, and must be a number"),
        ('{"timestamp": true}', ":1: timestamp is True, and must be a number"),
        ('{"timestamp": 1, "input_length": "1"}', ":1: input_length is '1', and must be a whole"),
        ('{"timestamp": 1, "input_length": 1.5}', ":1: input_length is 1.5, and must be a whole"),
        (
            '{"timestamp": 1, "input_length": 1, "output_length": -1}',
            ":1: output_length is -1, and must be a whole number from 0 to 1e+09; correct it, or",
        ),
    ],
    ids=lambda value: repr(value[:24]),  # some are megabytes
)
def test_a_bad_trace_is_told_with_its_line(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(TraceError, match=f"^{re.escape(str(tmp_path))}/trace:") as caught:
        trace_of(tmp_path, content)

    assert message in str(caught.value)


def test_a_given_format_is_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r":1: the first line names .* a trace as burstgpt;"):
        trace_of(tmp_path, AZURE_2023, TraceFormat.BURSTGPT)
    with pytest.raises(TraceError, match=":1: not a JSON object a line"):
        trace_of(tmp_path, AZURE_2023, TraceFormat.MOONCAKE)
    with pytest.raises(TraceError, match=r":1: the first line names .* a trace as azure;"):
        trace_of(tmp_path, MOONCAKE, TraceFormat.AZURE)
    trace = trace_of(tmp_path, AZURE_2023, TraceFormat.CSV)
    assert (len(trace), trace.input_tokens) == (3, None)


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"/none: no such file; check the path$"):
        read_trace(tmp_path / "none")
    with pytest.raises(TraceError, match=r": a directory; name one trace file in it$"):
        read_trace(tmp_path)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "no"), "not readable by this user; change its mode, or copy it"),
        (OSError(5, "Input/output error"), "cannot be read (Input/output error); check the disk"),
    ],
)
def test_a_file_that_the_system_denies_is_told(
    monkeypatch: pytest.MonkeyPatch, error: OSError, message: str
) -> None:
    def denied(*_: object) -> None:
        raise error

    # root may read any file, so no real one will do.
    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(TraceError, match=f"^denied.csv: {re.escape(message)}"):
        read_trace(Path("denied.csv"))


def test_what_a_trace_says_of_itself() -> None:
    even = Trace("even", array("d", range(11)), None, None)
    assert (len(even), even.duration_seconds, even.rate, even.arrival_cv) == (11, 10, 1.1, 0)

    uneven = Trace("uneven", array("d", [0, 1, 4]), None, None)  # gaps of 1 and 3
    assert uneven.arrival_cv == pytest.approx(0.5)

    for arrivals in ([], [0.0], [0.0, 0.0]):
        trace = Trace("no time", array("d", arrivals), None, None)
        assert (trace.duration_seconds, trace.rate, trace.arrival_cv) == (0, 0, 0)


def test_many_rows_take_little_memory(tmp_path: Path) -> None:
    count = 200_000
    start = datetime(2023, 11, 16, 18, tzinfo=UTC)
    file = tmp_path / "many.csv"
    with file.open("w") as written:
        written.write("TIMESTAMP,ContextTokens,GeneratedTokens\n")
        for index in range(count):
            time = start + timedelta(milliseconds=index)
            written.write(f"{time:%Y-%m-%d %H:%M:%S.%f}0,{index % 1000},{index % 7}\n")

    tracemalloc.start()
    try:
        trace = read_trace(file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(trace) == count
    assert trace.duration_seconds == (count - 1) / 1000
    assert trace.input_tokens is not None
    assert trace.output_tokens is not None
    assert sum(trace.input_tokens) == count * 999 // 2
    assert sum(trace.output_tokens) == sum(index % 7 for index in range(count))
    assert peak < 48 * count  # three numbers of eight bytes, and room to grow


def written(requests: list[tuple[int, int, int]], trace_format: TraceFormat) -> str:
    """Write requests (milliseconds, input tokens, output tokens) as a trace."""
    start = datetime(2023, 11, 16, 18, tzinfo=UTC)
    match trace_format:
        case TraceFormat.MOONCAKE:
            keys = ("timestamp", "input_length", "output_length")
            return "\n".join(json.dumps(dict(zip(keys, row, strict=True))) for row in requests)
        case TraceFormat.AZURE:
            return "TIMESTAMP,ContextTokens,GeneratedTokens\n" + "\n".join(
                f"{start + timedelta(milliseconds=time):%Y-%m-%d %H:%M:%S.%f}0,{given},{made}"
                for time, given, made in requests
            )
        case TraceFormat.BURSTGPT:
            return "Timestamp,Model,Request tokens,Response tokens,Total tokens\n" + "\n".join(
                f"{time / 1000},GPT-4,{given},{made},{given + made}"
                for time, given, made in requests
            )
        case TraceFormat.CSV:
            return "output_tokens,arrival,input_tokens\n" + "\n".join(
                f'"{made}", {time / 1000} ,{given}' for time, given, made in requests
            )


milliseconds = st.integers(0, 10**10)
token_counts = st.integers(0, 10**9)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property."""
    return tmp_path_factory.mktemp("traces")


@given(
    requests=st.lists(st.tuples(milliseconds, token_counts, token_counts), min_size=1),
    trace_format=st.sampled_from(TraceFormat),
)
def test_what_is_written_is_read(
    folder: Path, requests: list[tuple[int, int, int]], trace_format: TraceFormat
) -> None:
    trace = trace_of(folder, written(requests, trace_format))

    requests.sort(key=lambda request: request[0])
    start = requests[0][0]
    assert [row[1:] for row in rows(trace)] == [request[1:] for request in requests]
    assert list(trace.arrivals) == pytest.approx(
        [(request[0] - start) / 1000 for request in requests], abs=1e-8
    )


def check_plausible(folder: Path, content: bytes, suffix: str = "") -> None:
    """Read a file as nobody wrote it: a trace that can be simulated, or a TraceError."""
    file = folder / f"broken{suffix}"
    file.write_bytes(content)
    try:
        trace = read_trace(file)
    except TraceError:
        return
    assert len(trace) > 0
    assert trace.arrivals[0] == 0
    assert math.isfinite(trace.duration_seconds)
    assert all(earlier <= later for earlier, later in pairwise(trace.arrivals))
    for tokens in (trace.input_tokens, trace.output_tokens):
        assert tokens is None or (len(tokens) == len(trace) and min(tokens) >= 0)
    assert math.isfinite(trace.rate)
    assert math.isfinite(trace.arrival_cv)


@given(
    text=st.sampled_from(list(REAL.values())),
    place=st.integers(0, 300),
    byte=st.binary(max_size=1),
)
@example(text=AZURE_2023, place=AZURE_2023.index("2023"), byte=b"0")
def test_a_wrong_byte_is_told_or_harmless(folder: Path, text: str, place: int, byte: bytes) -> None:
    content = text.encode()
    check_plausible(folder, content[:place] + byte + content[place + 1 :])
    check_plausible(folder, content[:place] + byte + content[place:])
    packed = gzip.compress(content)
    check_plausible(folder, packed[:place] + byte + packed[place + 1 :], ".gz")


@pytest.mark.parametrize("text", REAL.values(), ids=REAL)
def test_a_file_cut_anywhere_is_told_or_harmless(tmp_path: Path, text: str) -> None:
    content = text.encode()
    packed = gzip.compress(content)
    for end in range(len(content)):
        check_plausible(tmp_path, content[:end])
    for end in range(len(packed)):
        check_plausible(tmp_path, packed[:end], ".gz")
