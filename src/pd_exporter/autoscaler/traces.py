"""Request traces: when requests arrived and how many tokens they had, read from a file.

Four formats are read (`TraceFormat`), told from the first line. A trace is read whole or not at
all: a bad row fails the reading, with the file, the line and a cure, because a simulation of half
a trace looks like one of a quiet service.
"""

import gzip
import math
import zlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise
from operator import le
from pathlib import Path
from typing import BinaryIO

from pd_exporter.autoscaler.traceformats import Rows, TraceFormat, read_rows

__all__ = ["Trace", "TraceError", "TraceFormat", "read_trace"]

_LONGEST_LINE = 2**20  # bytes; a file that is no text may have no line end at all
_PROGRESS_LINES = 2**13


class TraceError(ValueError):
    """A trace that cannot be used: ``path:line: what; cure``."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests in order of arrival.

    Attributes:
        name: Of the file, or the form it was generated from.
        arrivals: Seconds since the trace's start, never falling. A trace that was read starts
            with its first request (at 0), a generated one with the generation.
        input_tokens: Of each request, 0 or more; None where the trace does not say.
        output_tokens: The same of what was generated. 0 is a request that failed (BurstGPT).
    """

    name: str
    arrivals: "array[float]"
    input_tokens: "array[int] | None"
    output_tokens: "array[int] | None"

    def __len__(self) -> int:
        return len(self.arrivals)

    @property
    def duration_seconds(self) -> float:
        """Seconds from the trace's start to the last arrival."""
        return self.arrivals[-1] if self.arrivals else 0.0

    @property
    def rate(self) -> float:
        """Requests per second over the duration; 0 where no time passes."""
        return len(self) / self.duration_seconds if self.duration_seconds else 0.0

    @property
    def arrival_cv(self) -> float:
        """Coefficient of variation of the times between arrivals: 1 is Poisson, more is bursts.

        It is 0 where there is no time between any two.
        """
        gaps = len(self) - 1
        mean = (self.arrivals[-1] - self.arrivals[0]) / gaps if gaps > 0 else 0.0
        if not mean:
            return 0.0
        squares = sum(
            ((later - earlier) / mean - 1) ** 2 for earlier, later in pairwise(self.arrivals)
        )
        return math.sqrt(squares / gaps)


def read_trace(
    path: Path,
    trace_format: TraceFormat | None = None,
    progress: Callable[[int], None] | None = None,
) -> Trace:
    """Read a trace; a file named ``*.gz`` is unpacked on the way.

    Rows may be out of order, as they are where several frontends write one file: they are sorted
    by time, and those of one time stay in the file's order. Times keep microseconds. Blank lines
    are passed over; 0 tokens are allowed.

    Args:
        path: The file.
        trace_format: Its format; None tells it from the first line.
        progress: Called now and then with the number of the file's bytes read so far.

    Raises:
        TraceError: The file cannot be read, or any row of it is bad.
    """
    lines = _Lines(progress)
    try:
        with path.open("rb") as file:
            return _trace(
                path.name, read_rows(lines.of(file, packed=path.suffix == ".gz"), trace_format)
            )
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise TraceError(f"{path}: no whole gzip file ({error}); fetch or pack it again") from error
    except OSError as error:
        raise TraceError(f"{path}: {_why(error)}") from error
    except ValueError as error:
        where = f"{path}:{lines.number}" if lines.number else path
        raise TraceError(f"{where}: {error}") from error


def _why(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "no such file; check the path"
        case IsADirectoryError():
            return "a directory; name one trace file in it"
        case PermissionError():
            return "not readable by this user; change its mode, or copy it"
        case _:
            return f"cannot be read ({error.strerror or error}); check the disk, or copy it"


class _Lines:
    """The lines of a file as text; `number` is that of the last one given."""

    def __init__(self, progress: Callable[[int], None] | None) -> None:
        self.number = 0
        self._progress = progress

    def of(self, file: BinaryIO, *, packed: bool) -> Iterator[str]:
        """Give the lines that are not blank, without a byte order mark."""
        progress = self._progress if file.seekable() else None
        source = gzip.open(file) if packed else file  # noqa: SIM115 - the caller closes the file
        for line in iter(partial(source.readline, _LONGEST_LINE), b""):
            self.number += 1
            if len(line) == _LONGEST_LINE:
                raise ValueError("a line of over 1 MiB; this is no trace")
            if progress and self.number % _PROGRESS_LINES == 0:
                progress(file.tell())
            try:
                text = line.decode("utf-8" if self.number > 1 else "utf-8-sig")
            except UnicodeDecodeError as error:
                raise ValueError(f"not UTF-8 text ({error.reason}); save it as UTF-8") from error
            if text.strip():
                yield text
        if progress:
            progress(file.tell())


def _trace(name: str, source: Rows) -> Trace:
    times, inputs, outputs = array("d"), array("q"), array("q")
    for time, given, generated in source.rows:
        times.append(time)
        inputs.append(given)
        outputs.append(generated)
    if not times:
        raise ValueError("no request after the header; fetch the trace again")
    if not all(map(le, times, islice(times, 1, None))):
        order = sorted(range(len(times)), key=times.__getitem__)
        times = array("d", map(times.__getitem__, order))
        inputs = array("q", map(inputs.__getitem__, order))
        outputs = array("q", map(outputs.__getitem__, order))
    # Subtracting before dividing keeps the milliseconds of an epoch exact.
    start, unit = times[0], source.per_second
    return Trace(
        name,
        array("d", ((time - start) / unit for time in times)),
        inputs if source.has_inputs else None,
        outputs if source.has_outputs else None,
    )
