"""What pandas, Polars and DuckDB make of the tables."""

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa

import diurnal

LINES = b"""\
m,host=a s="",f=1.5,i=1i,u=18446744073709551615u,b=true 1592568000000000001
m,host=a s="x",f=0.1 1592568000000000002
m,host=b i=-9223372036854775808i 1592568000123456789
"""
TIMES = [1592568000000000001, 1592568000000000002, 1592568000123456789]


def tables():
    return diurnal.read_line_protocol(LINES)["m"]


def test_pandas_with_types_of_arrow_keeps_every_value():
    frame = tables().to_pandas(types_mapper=pd.ArrowDtype)
    assert [time.value for time in frame["time"].astype("datetime64[ns]")] == TIMES
    assert frame["u"].iloc[0] == 2**64 - 1 and frame["i"].iloc[2] == -(2**63)
    assert frame["s"].fillna("null").tolist() == ["", "x", "null"]


def test_pandas_has_tags_as_categories():
    frame = tables().to_pandas()
    assert isinstance(frame["host"].dtype, pd.CategoricalDtype)
    assert frame["host"].tolist() == ["a", "a", "b"]
    assert [time.value for time in frame["time"]] == TIMES


def test_polars_keeps_every_value():
    frame = pl.from_arrow(tables())
    assert frame["time"].to_physical().to_list() == TIMES
    assert frame["host"].cast(pl.String).to_list() == ["a", "a", "b"]
    assert frame["u"].to_list() == [2**64 - 1, None, None]
    assert frame["s"].to_list() == ["", "x", None]
    assert frame["b"].to_list() == [True, None, None]


def test_duckdb_asks_a_table_as_it_is():
    m = tables()
    found = duckdb.sql("select host, epoch_ns(time), i, u, s from m order by time").fetchall()
    assert m.num_rows == 3
    assert found == [
        ("a", TIMES[0], 1, 2**64 - 1, ""),
        ("a", TIMES[1], None, None, "x"),
        ("b", TIMES[2], -(2**63), None, None),
    ]


def test_chunks_of_a_large_table_have_one_dictionary():
    lines = b"".join(b"m,host=h%d v=%d %d\n" % (number // 100_000, number, number) for number in range(300_000))
    large = table = diurnal.read_line_protocol(lines)["m"]
    hosts = table["host"]
    assert hosts.num_chunks == 3
    assert [chunk.dictionary.to_pylist() for chunk in hosts.chunks] == [["h0", "h1", "h2"]] * 3
    assert table.unify_dictionaries().equals(table)
    counts = {"h0": 100_000, "h1": 100_000, "h2": 100_000}
    assert table.to_pandas()["host"].value_counts().to_dict() == counts
    assert dict(duckdb.sql("select host, count(*) from large group by all").fetchall()) == counts
    assert large.num_rows == 300_000
    assert dict(pl.from_arrow(table).group_by("host").len().with_columns(pl.col("host").cast(pl.String)).iter_rows()) == counts


def test_a_table_goes_through_ipc_and_back():
    table = tables()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    assert pa.ipc.open_stream(sink.getvalue()).read_all().equals(table)
