"""Tables of a day -> its one table and its files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, Protocol, Union

from . import _native
from ._read import checked_threads

if TYPE_CHECKING:
    import pyarrow as pa


class Writable(Protocol):
    """A file that is open for bytes."""

    def write(self, data: bytes, /) -> Any: ...


#: Where :func:`merge_day` writes a file to.
Target = Union[str, "os.PathLike[str]", Writable]


def merge_day(
    tables: Any | Iterable[Any],
    measurement: str | None = None,
    *,
    parquet: Target | None = None,
    csv: Target | None = None,
    tags: Iterable[str] = (),
    timezone: str = "UTC",
    schemas: str | os.PathLike[str] | None = None,
    time_unit: Literal["ns", "us"] = "ns",
    threads: int | None = None,
) -> pa.Table:
    """Merges tables of one measurement and day into the one table that an archive has of them, and writes the archive's files of it.

    It is what an archive does with what it is given: rows are sorted by time, then by the tags, null first; rows of one point become one, or
    where they give a field different values as many as that field has values; what is there twice is there once. So the order of the tables
    decides nothing, and merging something again changes nothing. Columns that occur in no row are left out, declared ones are there.

    The bytes written are those of `diurnal import` into a new archive: ``MEASUREMENT/DAY.parquet`` and ``DAY.csv``, row groups and all.

    Args:
        tables: one table or several: ``pyarrow.Table`` as :func:`read_line_protocol` gives it or ``pyarrow.parquet.read_table`` reads it from a
            day file, or anything with ``__arrow_c_stream__`` or ``__arrow_c_array__`` (record batches, frames of Polars and pandas, relations
            of DuckDB). It needs a timestamp column ``time``; a float that is NaN is no value of line protocol, a null is.
        measurement: the measurement's name; by default what the first table's metadata says.
        parquet: where the Parquet file goes: a path, which holds the whole new file or what was there before, or a file that is open for
            bytes.
        csv: where the CSV file goes.
        tags: the columns that are tags, for tables that lost the metadata that says so. Declared ones and dictionaries are tags anyhow.
        timezone: the zone whose day it has to be, such as ``"Europe/Berlin"``.
        schemas: a folder of schema files, as for :func:`read_line_protocol`.
        time_unit: resolution of ``time``.
        threads: threads that merge and encode; as many as the process may use processors by default.

    Returns:
        The table, in one chunk a row group of the file: 131,072 rows at most, cut where the archive cuts a day.

    Raises:
        Error: no row, rows of several days, a row without time or without a field, a value that its column's type can't hold exactly, a file
            that can't be written.
        ValueError: an argument that can't be what was meant.

    >>> import pyarrow as pa, diurnal
    >>> morning = diurnal.read_line_protocol(b"m,host=a v=1 1592568000000000000")["m"]
    >>> evening = diurnal.read_line_protocol(b"m,host=a v=2 1592600000000000000")["m"]
    >>> diurnal.merge_day([evening, morning])["v"].to_pylist()
    [1.0, 2.0]
    """
    import pyarrow as pa

    given = [tables] if _is_table(tables) else list(tables)
    if not given:
        raise ValueError("no table was given")
    for table in given:
        if not _is_table(table):
            raise TypeError(f"a table is one of pyarrow, or has __arrow_c_stream__; this is {type(table).__name__}")
    given = [pa.table(table) if hasattr(table, "__arrow_c_array__") else table for table in given]
    if measurement is None:
        measurement = _measurement_of(given[0])
    if isinstance(tags, str):
        raise TypeError("tags is a list of names, not one name")
    return _native.merge_day(
        given,
        measurement,
        set(tags),
        timezone,
        None if schemas is None else os.fspath(schemas),
        time_unit,
        _target(parquet),
        _target(csv),
        checked_threads(threads),
    )


def _is_table(table: Any) -> bool:
    return hasattr(table, "__arrow_c_stream__") or hasattr(table, "__arrow_c_array__")


def _measurement_of(table: Any) -> str:
    metadata = getattr(getattr(table, "schema", None), "metadata", None)
    name = metadata.get(b"diurnal.measurement") if isinstance(metadata, dict) else None
    if name is None:
        raise ValueError("the first table does not say which measurement it is of; give measurement=")
    return str(name, "utf-8")


def _target(target: Any) -> Any:
    if target is None or hasattr(target, "write"):
        return target
    return os.fspath(target)
