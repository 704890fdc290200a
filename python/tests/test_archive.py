"""What is read is what an archive of the same lines holds."""

import base64

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import diurnal
from lines import NUMBERS, line, lines, text


def day_files(archive, suffix="parquet"):
    """Paths of the day files, by measurement as the files name it and day."""
    return sorted(path for path in archive.glob(f"*/*.{suffix}") if path.parent.name != "_diurnal")


def measurement_of(path) -> str:
    return pq.read_schema(path).metadata[b"diurnal.measurement"].decode()


def plain(table: pa.Table) -> pa.Table:
    """In one chunk and without dictionaries, which are another for each row group."""
    columns = {
        name: column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
        for name, column in zip(table.column_names, table.columns)
    }
    return pa.table(columns).combine_chunks()


def without_file_metadata(field: pa.Field) -> dict:
    return {key: value for key, value in (field.metadata or {}).items() if not key.startswith(b"PARQUET:")}


@given(lines=lines(), precision=st.sampled_from(["ns", "us", "ms", "s"]), default_time=st.sampled_from([None, 0, 86_400_000_000_000]))
def test_tables_are_those_of_an_archive_of_the_same_lines(program, lines, precision, default_time):
    flags = ["--precision", precision, "--formats", "parquet"]
    if default_time is not None:
        flags += ["--default-time", {0: "1970-01-01T00:00:00Z", 86_400_000_000_000: "1970-01-02T00:00:00Z"}[default_time]]
    archive, report = program.importing(text(lines), *flags)
    rejects = []
    tables = diurnal.read_line_protocol(text(lines), precision=precision, default_time=default_time, on_error=rejects.append)

    assert report["rejected"] == len(rejects)
    told = [
        (reject["offset"], reject["reason"], reject["line"].encode() if "line" in reject else base64.b64decode(reject["line_base64"]))
        for reject in report["rejects"]
    ]
    assert sorted(told) == sorted((reject.offset, reject.reason, reject.line) for reject in rejects[:100])

    of_archive = {}
    for path in day_files(archive):
        of_archive.setdefault(measurement_of(path), []).append(pq.read_table(path))
    assert list(tables) == sorted(of_archive, key=str.encode)
    for measurement, table in tables.items():
        assert table.schema.metadata[b"diurnal.measurement"].decode() == measurement
        start = 0
        for day in of_archive[measurement]:
            rows = table.slice(start, day.num_rows)
            start += day.num_rows
            here = rows.select(day.column_names)
            assert [name for name in table.column_names if name in day.column_names] == day.column_names
            assert here.schema.types == day.schema.types
            assert [without_file_metadata(field) for field in here.schema] == [without_file_metadata(field) for field in day.schema]
            assert plain(here).equals(plain(day))
            assert all(column.null_count == len(column) for column in rows.drop_columns(day.column_names).columns)
        assert start == table.num_rows


ONE_DAY = st.integers(0, 86_399)


@given(
    parts=st.lists(
        st.lists(line(values=NUMBERS, measurements=st.just("m"), times=ONE_DAY, always_time=True), min_size=1, max_size=12),
        min_size=1,
        max_size=4,
    )
)
def test_merged_parts_give_the_bytes_of_an_archive(program, tmp_path_factory, parts):
    archive, _ = program.importing(text(sum(parts, [])), "--precision", "s")
    folder = tmp_path_factory.mktemp("merged")
    read = [diurnal.read_line_protocol(text(part), precision="s")["m"] for part in parts]
    parquet, csv = folder / "day.parquet", folder / "day.csv"
    merged = diurnal.merge_day(reversed(read), parquet=parquet, csv=csv)
    assert parquet.read_bytes() == (archive / "m/1970-01-01.parquet").read_bytes()
    assert csv.read_bytes() == (archive / "m/1970-01-01.csv").read_bytes()
    assert plain(merged).equals(plain(pq.read_table(parquet)))
    # It is what it is however often it is merged, and what a reader gives does as well.
    assert diurnal.merge_day([merged, pq.read_table(parquet), merged]).equals(merged)
    assert not list(folder.glob("*.part"))


def test_a_day_of_several_row_groups_in_a_zone_with_declared_columns_has_the_bytes_of_an_archive(program, tmp_path):
    # 23 hours: the clock is put forward.
    start = 1_585_436_400
    times = [start + (number * 7_919) % (23 * 3600) for number in range(300_000)]
    lines = text(f"cpu,host=h{number % 97},cpu=cpu{number % 3} usage_idle={number % 101}i,x={number}i {time}" for number, time in enumerate(times))
    flags = ["--precision", "s", "--timezone", "Europe/Berlin"]
    archive, _ = program.importing(lines, *flags)
    table = diurnal.read_line_protocol(lines, precision="s")["cpu"]
    assert len(table.chunk(0) if hasattr(table, "chunk") else table.column(0).chunk(0)) == 131_072
    halves = [table.slice(0, 150_000), table.slice(150_000)]
    with open(tmp_path / "day.parquet", "wb") as parquet, open(tmp_path / "day.csv", "wb") as csv:
        merged = diurnal.merge_day(halves, "cpu", parquet=parquet, csv=csv, timezone="Europe/Berlin", threads=2)
    day = archive / "cpu/2020-03-29.parquet"
    assert (tmp_path / "day.parquet").read_bytes() == day.read_bytes()
    assert (tmp_path / "day.csv").read_bytes() == day.with_suffix(".csv").read_bytes()
    groups = pq.ParquetFile(day).metadata
    assert groups.num_row_groups > 2
    assert [len(chunk) for chunk in merged.column("time").chunks] == [groups.row_group(group).num_rows for group in range(groups.num_row_groups)]
    with pytest.raises(diurnal.Error, match="has rows of 2020-03-28 and of 2020-03-29"):
        diurnal.merge_day(halves)


def test_columns_in_microseconds_have_the_bytes_of_an_archive_of_microseconds(program, tmp_path):
    lines = b"m,host=a v=1 1592568000000001000\nm,host=a v=2 1592568000000002000\n"
    archive, _ = program.importing(lines, "--time-unit", "us")
    table = diurnal.read_line_protocol(lines, time_unit="us")["m"]
    assert table.schema.field("time").type == pa.timestamp("us")
    diurnal.merge_day(table, time_unit="us", parquet=tmp_path / "day.parquet")
    assert (tmp_path / "day.parquet").read_bytes() == (archive / "m/2020-06-19.parquet").read_bytes()
    rejects = []
    assert diurnal.read_line_protocol(b"m v=1 1", time_unit="us", on_error=rejects.append) == {}
    assert rejects[0].reason == "time_not_whole_microsecond"


def test_schemas_of_a_folder_declare_columns_as_in_an_archive(program, tmp_path):
    schemas = tmp_path / "schemas"
    schemas.mkdir()
    (schemas / "m.toml").write_text('measurement = "m"\n[[tag]]\nname = "rack"\n[[field]]\nname = "v"\ntype = "string"\nunit = "colour"\n')
    lines = b'm,host=a v="red",w=1 1\nm v=1i 2\n'
    archive, _ = program.importing(lines, "--schemas", str(schemas), "--formats", "parquet")
    rejects = []
    table = diurnal.read_line_protocol(lines, schemas=schemas, on_error=rejects.append)["m"]
    day = pq.read_table(archive / "m/1970-01-01.parquet")
    assert plain(table).equals(plain(day))
    assert table.column_names == ["time", "rack", "host", "v", "w"]
    assert table.schema.field("v").metadata[b"unit"] == b"colour"
    assert [reject.reason for reject in rejects] == ["type_mismatch"]
    assert (rejects[0].measurement, rejects[0].column) == ("m", "v")
    assert pc.all(pc.is_null(table["rack"])).as_py()
