"""Reads an archive with pandas and Polars in the ways that docs/QUERIES.md names, and prints what came out as one JSON object.

Usage: read_dataframes.py ARCHIVE MEASUREMENT DAY. Times are given in nanoseconds since 1970-01-01 UTC, a missing value as null."""

import json
import sys
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

folder, day = Path(sys.argv[1]) / sys.argv[2], sys.argv[3]
parquet, csv = folder / f"{day}.parquet", folder / f"{day}.csv"
days = sorted(folder.glob("*.parquet"))


def of_pandas(frame):
    def plain(value):
        if pd.isna(value):
            return None
        if isinstance(value, pd.Timestamp):
            return value.as_unit("ns").value
        return value.item() if hasattr(value, "item") else value

    return {name: [plain(value) for value in frame[name]] for name in frame.columns}


def of_polars(frame):
    unit = {"ns": 1, "us": 1_000, "ms": 1_000_000}[frame["time"].dtype.time_unit]
    columns = {name: frame[name].to_list() for name in frame.columns}
    columns["time"] = [value * unit for value in frame["time"].to_physical().to_list()]
    return columns


def attempt(read):
    """What is read, or the error's type and first words."""
    try:
        return read()
    except Exception as error:  # Any is an answer here.
        return f"{type(error).__name__}: {error}"[:400]


csv_days = sorted(folder.glob("*.csv"))
csv_in_pandas = dict(parse_dates=["time"], dtype_backend="pyarrow")
table = pq.read_table(parquet)
facts = {
    "pandas": of_pandas(pd.read_parquet(parquet)),
    "pandas, pyarrow types": of_pandas(pd.read_parquet(parquet, dtype_backend="pyarrow")),
    "pandas, CSV": of_pandas(pd.read_csv(csv, **csv_in_pandas)),
    "pandas, CSV, nothing is null": of_pandas(pd.read_csv(csv, keep_default_na=False, dtype=str)),
    "pandas, folder": attempt(lambda: of_pandas(pd.read_parquet(folder))),
    "pandas, list of days": of_pandas(pd.read_parquet(days, dtype_backend="pyarrow")),
    "pandas, days one by one": of_pandas(
        pd.concat([pd.read_parquet(file, dtype_backend="pyarrow") for file in days], ignore_index=True)
    ),
    "pandas, CSV, days one by one": of_pandas(
        pd.concat([pd.read_csv(file, **csv_in_pandas) for file in csv_days], ignore_index=True)
    ),
    "pyarrow, types": {field.name: str(field.type) for field in table.schema},
    "pyarrow, metadata": {
        field.name: {key.decode(): value.decode() for key, value in (field.metadata or {}).items() if key != b"PARQUET:field_id"}
        for field in table.schema
    },
    "pyarrow, time": table["time"].cast(pa.int64()).to_pylist(),
    "polars": of_polars(pl.read_parquet(parquet)),
    "polars, CSV": of_polars(
        pl.read_csv(csv, schema_overrides={"u": pl.UInt64}).with_columns(
            pl.col("time").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ns")
        )
    ),
    "polars, CSV, dates tried": of_polars(pl.read_csv(csv, try_parse_dates=True)),
    "polars, glob": attempt(lambda: of_polars(pl.read_parquet(folder / "*.parquet"))),
    "polars, days one by one": of_polars(
        pl.concat([pl.scan_parquet(file) for file in days], how="diagonal_relaxed").collect()
    ),
}
facts["polars, CSV, days one by one"] = attempt(
    lambda: of_polars(
        pl.concat([pl.scan_csv(file) for file in csv_days], how="diagonal_relaxed")
        .with_columns(pl.col("time").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ns"))
        .collect()
    )
)
json.dump(facts, sys.stdout)
