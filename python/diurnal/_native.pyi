"""The extension module. What it has is called through the functions of the package, which check arguments and say what they mean."""

from typing import Any

import pyarrow as pa

__version__: str
#: Version of everything that decides the bytes of a day file.
encoder_version: int

def read(
    source: Any,
    name: str,
    precision: str,
    default_time: int | None,
    schemas: str | None,
    time_unit: str,
    threads: int | None,
) -> tuple[dict[str, pa.Table], list[tuple[bytes, int, str, str, int | None, str | None, str | None, str | None, int]], tuple[int, int, int, int]]: ...
def merge_day(
    tables: list[Any],
    measurement: str,
    tags: set[str],
    timezone: str,
    schemas: str | None,
    time_unit: str,
    parquet: Any,
    csv: Any,
    threads: int | None,
) -> pa.Table: ...
