"""Arguments of merge_day, and tables that come from elsewhere."""

import io

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import diurnal

LINES = b"m,host=b v=1.5,n=3i,s=\"\" 1592568000000000001\nm v=2.5,t=true 1592568000000000000\nm,host=a u=5u 1592568000000000000\n"
TABLE = diurnal.read_line_protocol(LINES)["m"]


def files(*arguments, **named):
    parquet, csv = io.BytesIO(), io.BytesIO()
    table = diurnal.merge_day(*arguments, parquet=parquet, csv=csv, **named)
    return table, parquet.getvalue(), csv.getvalue()


def test_a_table_that_is_whole_stays_as_it_is():
    merged, _, csv = files(TABLE)
    assert merged.equals(TABLE)
    assert csv == (
        b"time,host,n,s,t,u,v\n"
        b"2020-06-19T12:00:00.000000000Z,,,,true,,2.5\n"
        b"2020-06-19T12:00:00.000000000Z,a,,,,5,\n"
        b"2020-06-19T12:00:00.000000001Z,b,3,\"\",,,1.5\n"
    )


def test_rows_are_folded_and_conflicts_are_kept():
    other = diurnal.read_line_protocol(b"m,host=b v=7,extra=1 1592568000000000001\n")["m"]
    merged = diurnal.merge_day([TABLE, other, TABLE])
    last = merged.slice(2).to_pylist()
    assert [(row["v"], row["n"], row["extra"]) for row in last] == [(1.5, 3, 1.0), (7.0, None, None)]


def test_frames_of_others_give_the_same_files():
    expected = files(TABLE)
    frames = {
        "record batch": TABLE.to_batches()[0],
        "polars": pl.from_arrow(TABLE),
        "duckdb": duckdb.sql("select * from TABLE"),
        "pandas": pd.DataFrame({name: column.to_pandas() for name, column in zip(TABLE.column_names, TABLE.columns)}).convert_dtypes(),
        "strings": TABLE.cast(pa.schema([field.with_type(pa.large_string()) if field.name == "host" else field for field in TABLE.schema])).replace_schema_metadata(),
        "columns in another order": TABLE.select(["v", "host", "time", "u", "n", "t", "s"]),
        "a column of nulls": TABLE.append_column("nothing", pa.nulls(3)),
    }
    for name, frame in frames.items():
        found = files(frame, "m", tags=["host"])
        assert found[1] == expected[1] and found[2] == expected[2], name


def test_smaller_types_and_other_units_of_time_are_taken():
    foreign = pa.table(
        {
            "host": pa.array(["a", None]),
            "time": pa.array([0, 1], pa.timestamp("ms", "Europe/Berlin")),
            "f": pa.array([0.5, 1.5], pa.float32()),
            "i": pa.array([-1, 2], pa.int16()),
            "u": pa.array([1, 2], pa.uint8()),
        }
    )
    expected = diurnal.read_line_protocol(b"m,host=a f=0.5,i=-1i,u=1u 0\nm f=1.5,i=2i,u=2u 1\n", precision="ms")["m"]
    assert diurnal.merge_day(foreign, "m", tags=["host"]).equals(expected)


def test_a_field_of_two_types_gets_the_first_of_the_order_of_types():
    one, other = (diurnal.read_line_protocol(lines)["m"] for lines in (b"m v=1i 1", b"m v=0.5 2"))
    assert diurnal.merge_day([one, other])["v"].to_pylist() == [1.0, 0.5]
    large = diurnal.read_line_protocol(b"m v=9007199254740993i 1")["m"]
    with pytest.raises(diurnal.Error, match="m.v: is float, a row has"):
        diurnal.merge_day([large, other])


def test_tags_and_fields_of_one_name_stay_apart():
    tag, field = (diurnal.read_line_protocol(lines)["m"] for lines in (b"m,host=a v=1 1", b"m host=2 1"))
    both = diurnal.read_line_protocol(b"m,host=a v=1 1\nm host=2 1\n")["m"]
    assert both.column_names == ["time", "host", "host_field", "v"]
    assert diurnal.merge_day([field, tag]).equals(both)


@pytest.mark.parametrize(
    "table, said",
    [
        (TABLE.slice(0, 0), "there are no rows"),
        (TABLE.drop_columns("time"), "no column `time`"),
        (TABLE.select(["time", "host"]), "has no field"),
        (TABLE.set_column(6, "v", pa.array([float("nan")] * 3)), "not finite"),
        (TABLE.set_column(0, "time", pa.array([1, 2, 3])), "not a timestamp"),
        (TABLE.set_column(0, "time", pa.array([1, None, 3], pa.timestamp("ns"))), "null"),
        (TABLE.set_column(0, "time", pa.array([1, 2, 1 << 62], pa.timestamp("s"))), "do not hold"),
        (TABLE.set_column(0, "time", pa.array([1, 2, 1 << 60], pa.timestamp("ns"))), "and a file has one day"),
        (TABLE.append_column("list", pa.array([[1], [2], [3]])), "which no field is"),
    ],
)
def test_what_is_no_day_of_points_is_refused(tmp_path, table, said):
    with pytest.raises(diurnal.Error, match=said):
        diurnal.merge_day(table, "m", parquet=tmp_path / "day.parquet")
    assert not list(tmp_path.iterdir())


def test_arguments_that_cannot_be_meant_are_refused():
    with pytest.raises(ValueError, match="no table"):
        diurnal.merge_day([])
    with pytest.raises(ValueError, match="give measurement="):
        diurnal.merge_day(TABLE.replace_schema_metadata())
    with pytest.raises(TypeError, match="not one name"):
        diurnal.merge_day(TABLE, tags="host")
    with pytest.raises(TypeError, match="this is int"):
        diurnal.merge_day([5])
    with pytest.raises(diurnal.UsageError, match="Nowhere"):
        diurnal.merge_day(TABLE, timezone="Nowhere")


def test_a_file_that_cannot_be_written_is_said_and_leaves_nothing(tmp_path):
    with pytest.raises(diurnal.Error, match="cannot create it"):
        diurnal.merge_day(TABLE, parquet=tmp_path / "no/such/day.parquet")

    class Full:
        def write(self, data):
            raise OSError(28, "No space left on device")

    (tmp_path / "day.csv").write_text("before")
    with pytest.raises(OSError, match="No space left"):
        diurnal.merge_day(TABLE, parquet=Full(), csv=tmp_path / "day.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["day.csv"]
    assert (tmp_path / "day.csv").read_text() == "before"
