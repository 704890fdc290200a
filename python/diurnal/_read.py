"""Line protocol -> tables."""

from __future__ import annotations

import datetime
import os
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, Union

from . import _native
from ._errors import LineProtocolError

if TYPE_CHECKING:
    import pyarrow as pa

#: How many rejects an exception carries, and a warning counts by reason from.
SHOWN_REJECTS = 100


class Readable(Protocol):
    """A file that is open for bytes, or anything with a ``read`` like it: ``io.BytesIO``, a response of ``urllib``, a file of ``fsspec``."""

    def read(self, size: int, /) -> Any: ...


#: What :func:`read_line_protocol` reads.
Source = Union[bytes, bytearray, memoryview, str, "os.PathLike[str]", Readable]


class Reject(NamedTuple):
    """A line that is in no table, word for word."""

    #: The line as it was sent, without its end of line; its first 64 KiB where it is longer than a line may be (16 MiB).
    line: bytes
    #: Byte of the (uncompressed) input at which it starts, from 0.
    offset: int
    #: The stable name of what is wrong with it, such as ``"bad_number"``: those of ``diurnal rejects``.
    reason: str
    #: The same in words.
    message: str
    #: Byte of the line where the problem is, from 1; ``None`` where it is the line as a whole.
    byte: int | None
    #: Column, type and value, or what else there is to say.
    detail: str | None
    #: The measurement, where the reason concerns one column.
    measurement: str | None
    #: That column.
    column: str | None
    #: Bytes of the whole line.
    length: int

    def __str__(self) -> str:
        where = f"at byte {self.offset}" if self.byte is None else f"at byte {self.offset}, byte {self.byte} of the line"
        said = f"{where}: {self.reason}: {self.detail or self.message}"
        line = self.line[:200].decode("utf-8", "backslashreplace")
        return f"{said}: {line}"


def read_line_protocol(
    source: Source,
    *,
    precision: Literal["ns", "us", "ms", "s"] = "ns",
    default_time: int | datetime.datetime | Any | None = None,
    schemas: str | os.PathLike[str] | None = None,
    time_unit: Literal["ns", "us"] = "ns",
    on_error: Literal["raise", "warn", "skip"] | Callable[[Reject], object] = "raise",
    threads: int | None = None,
) -> dict[str, pa.Table]:
    """Reads InfluxDB line protocol, and gives one sorted table for each measurement.

    The tables are what a diurnal archive holds that was given the same lines, and `diurnal import` the same lines:

    - ``time`` comes first, ``timestamp[ns]`` in UTC without a zone, then the tags (``dictionary<int32, string>``), then the fields:
      ``double``, ``int64`` (``1i``), ``uint64`` (``1u``), ``string`` or ``bool``. Declared columns (of `cpu`, `mem` and Telegraf's other
      common measurements, and those of ``schemas``) are there in their order even if no line has them, with units and descriptions in the
      metadata of the fields; the others follow by name. ``kind`` in a field's metadata says ``tag`` or ``field``.
    - Rows are sorted by time, then by the tags in their order, null first.
    - Lines of one series and time are one row. Where they give a field different values, all of these are kept: the point has as many rows
      as that field has values.
    - A field that comes with several types gets one: the first present of float, int, uint, boolean, string. What it can't hold exactly is a
      reject. A tag and a field of one name are two columns, the second called ``NAME_field``.

    So the order of the lines decides nothing.

    Args:
        source: the lines as ``bytes`` (or ``bytearray``, ``memoryview``), the path of a file, or a file that is open for bytes. Gzip and zstd
            are told by the first bytes, in memory too. A ``str`` is always a path.
        precision: the unit of the times in the lines.
        default_time: what a line without time gets: nanoseconds since 1970-01-01 UTC, a ``datetime`` with a time zone, a
            ``pandas.Timestamp`` with one or a ``numpy.datetime64`` (UTC). Without it such a line is a reject.
        schemas: a folder of schema files (``*.toml``), as ``diurnal archive --schemas`` and an archive's ``_diurnal/schema``: they declare
            columns and their types.
        time_unit: resolution of ``time``. With ``"us"`` a time that is no whole microsecond is a reject.
        on_error: what becomes of lines that are no good. ``"raise"``: a :class:`LineProtocolError` after all lines were read, which has the
            first of them; no table is given. ``"warn"``: they are left out, with one warning. ``"skip"``: they are left out. A function: it is
            called with each :class:`Reject` in the order of the input, before the tables are given; ``rejects.append`` collects them.
        threads: threads that parse and sort; as many as the process may use processors by default. They end with the call.

    Returns:
        Tables by measurement, in bytewise order of the names; none for a measurement all of whose lines are rejects. Each is in chunks of
        131,072 rows, and a tag has one dictionary for all of them.

    Raises:
        LineProtocolError: lines that are no good, with ``on_error="raise"``.
        OSError: a path that can't be opened.
        Error: a compressed input that is damaged or cut, a schema file that is none.
        ValueError: an argument that can't be what was meant.

    The interpreter is not held meanwhile, but for reads of a file object; Ctrl-C ends it. All is in memory: about twice the size of the tables
    at the fullest.

    >>> lines = b"room,name=hall temperature=20.5 1592568000\\nroom,name=hall humidity=41i 1592568000\\n"
    >>> read_line_protocol(lines, precision="s")["room"].select(["name", "humidity", "temperature"]).to_pylist()
    [{'name': 'hall', 'humidity': 41, 'temperature': 20.5}]
    """
    if not callable(on_error) and on_error not in ("raise", "warn", "skip"):
        raise ValueError(f"on_error is 'raise', 'warn', 'skip' or a function, not {on_error!r}")
    name, native_source = _source(source)
    tables, rejects, (lines, _points, _folded, _conflicts) = _native.read(
        native_source,
        name,
        precision,
        nanoseconds(default_time),
        None if schemas is None else os.fspath(schemas),
        time_unit,
        checked_threads(threads),
    )
    if rejects:
        _tell(name, [Reject(*reject) for reject in rejects], lines, on_error)
    return tables


def _source(source: Any) -> tuple[str, Any]:
    """What errors call a source, and the form in which the native module takes it."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "the lines", source if isinstance(source, bytes) else bytes(source)
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        # For the exception that Python's users know. A named pipe must be opened once only.
        if os.path.isfile(path) or not os.path.exists(path) or os.path.isdir(path):
            with open(path, "rb"):
                pass
        # A file may be called "-", which is standard input to the command line alone.
        return path, os.path.join(os.curdir, path) if path == "-" else path
    if hasattr(source, "read"):
        return str(getattr(source, "name", "the file")), source
    raise TypeError(f"lines are bytes, a path or a file that is open for bytes, not {type(source).__name__}")


def _tell(name: str, rejects: list[Reject], lines: int, on_error: Any) -> None:
    if callable(on_error):
        for reject in rejects:
            on_error(reject)
        return
    if on_error == "skip":
        return
    number = f"{len(rejects):,} of {lines:,} lines {'is' if len(rejects) == 1 else 'are'} no good"
    cause = f"{number}, the first {rejects[0]}"
    if on_error == "warn":
        # The caller of read_line_protocol.
        warnings.warn(f"{name}: {cause}", stacklevel=3)
        return
    hint = "on_error='skip' leaves such lines out, on_error=rejects.append keeps them"
    raise LineProtocolError(name, cause, hint, rejects[:SHOWN_REJECTS], len(rejects), lines)


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def nanoseconds(time: Any) -> int | None:
    """A time in nanoseconds since 1970-01-01 UTC."""
    if time is None:
        return None
    if isinstance(time, bool):
        raise TypeError("a time is no bool")
    if isinstance(time, int):
        return time
    if isinstance(time, datetime.datetime):
        if time.tzinfo is None:
            raise ValueError(f"{time} has no time zone; use datetime.timezone.utc or the one that is meant")
        since = time - _EPOCH
        # A Timestamp of pandas knows nanoseconds, and so does the difference.
        return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000 + getattr(since, "nanoseconds", 0)
    if type(time).__name__ == "datetime64":
        return int(time.astype("datetime64[ns]").astype("int64"))
    if hasattr(time, "__index__"):
        return int(time.__index__())
    raise TypeError(f"a time is nanoseconds, a datetime or a datetime64, not {type(time).__name__}")


def checked_threads(threads: int | None) -> int | None:
    """Threads as they may be asked for."""
    if threads is not None and threads < 1:
        raise ValueError(f"threads is 1 or more, not {threads}")
    return threads
