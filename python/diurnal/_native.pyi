"""The extension module. What it has is called through the functions of the package, which check arguments and say what they mean."""

from collections.abc import Sequence
from typing import Any, final

import pyarrow as pa

__all__ = [
    "EngineEncode",
    "EngineParse",
    "EngineRoute",
    "EngineRun",
    "EngineSplice",
    "__version__",
    "encoder_version",
    "engine_schemas",
    "merge_day",
    "read",
]

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
def engine_schemas() -> tuple[pa.Schema, pa.Schema, pa.Schema]: ...
@final
class EngineRun:
    def __new__(cls, flags: Sequence[str]) -> EngineRun: ...
    def id(self) -> str: ...
    def intent(self) -> bytes: ...
    def offsets(self) -> tuple[str, str]: ...
    def is_idle(self) -> bool: ...
    def settle(self, summaries: Sequence[bytes]) -> list[str]: ...
    def examine(self, blocks: pa.RecordBatch) -> None: ...
    def plan(self, unit_rows: int | None) -> tuple[bytes, int]: ...
    def encoded(self, results: Sequence[bytes]) -> list[bytes]: ...
    def commit(self, spliced: Sequence[bytes]) -> str: ...
    def close(self) -> None: ...

@final
class EngineParse:
    def __new__(cls, intent: bytes, task: int) -> EngineParse: ...
    def push(self, batch: pa.RecordBatch) -> pa.RecordBatch | None: ...
    def finish(self) -> pa.RecordBatch | None: ...

@final
class EngineRoute:
    def __new__(cls, plan: bytes) -> EngineRoute: ...
    def push(self, batch: pa.RecordBatch) -> pa.RecordBatch | None: ...

@final
class EngineEncode:
    def __new__(cls, plan: bytes, attempt: str) -> EngineEncode: ...
    def push(self, batch: pa.RecordBatch) -> pa.RecordBatch | None: ...
    def finish(self) -> pa.RecordBatch | None: ...

@final
class EngineSplice:
    def __new__(cls, plan: bytes, attempt: str) -> EngineSplice: ...
    def push(self, batch: pa.RecordBatch) -> pa.RecordBatch | None: ...
