"""Sources, errors and limits of read_line_protocol."""

import datetime
import gzip
import io
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import diurnal
from lines import lines, text

LINES = b"m,host=a v=1.5,n=3i,u=4u,s=\"x\",b=true 1592568000000000001\nm,host=b v=2 1592568000000000000\n"


def same(one: dict, other: dict) -> bool:
    return list(one) == list(other) and all(one[name].equals(other[name]) for name in one)


def zstd(lines: bytes) -> bytes:
    return pa.Codec("zstd").compress(lines, asbytes=True)


def test_a_table_has_the_types_of_line_protocol():
    table = diurnal.read_line_protocol(LINES)["m"]
    assert table.schema.names == ["time", "host", "b", "n", "s", "u", "v"]
    assert table.schema.types == [
        pa.timestamp("ns"),
        pa.dictionary(pa.int32(), pa.string()),
        pa.bool_(),
        pa.int64(),
        pa.string(),
        pa.uint64(),
        pa.float64(),
    ]
    assert table["host"].to_pylist() == ["b", "a"]
    assert table["time"].cast(pa.int64()).to_pylist() == [1592568000000000000, 1592568000000000001]
    assert [field.metadata[b"kind"] for field in table.schema][1:] == [b"tag"] + [b"field"] * 5 if table.schema[0].metadata else True


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd], ids=["plain", "gzip", "zstd"])
def test_every_source_gives_the_same(tmp_path, pack):
    expected = diurnal.read_line_protocol(LINES)
    packed = pack(LINES)
    path = tmp_path / "lines.lp"
    path.write_bytes(packed)
    sources = [packed, bytearray(packed), memoryview(packed), str(path), path, io.BytesIO(packed), io.BufferedReader(io.BytesIO(packed))]
    for source in sources:
        assert same(diurnal.read_line_protocol(source), expected), source
    with open(path, "rb") as file, open(path, "rb", buffering=0) as raw:
        assert same(diurnal.read_line_protocol(file), expected)
        assert same(diurnal.read_line_protocol(raw), expected)


def test_a_file_that_gives_few_bytes_at_once_is_read_to_its_end():
    class Slow(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 3) if size >= 0 else 3)

    assert same(diurnal.read_line_protocol(Slow(LINES)), diurnal.read_line_protocol(LINES))


def test_a_named_pipe_is_opened_once(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(LINES))
    writer.start()
    assert same(diurnal.read_line_protocol(pipe), diurnal.read_line_protocol(LINES))
    writer.join()


def test_a_file_called_dash_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").write_bytes(LINES)
    assert same(diurnal.read_line_protocol("-"), diurnal.read_line_protocol(LINES))


@given(lines=lines())
def test_threads_and_sources_change_nothing(lines):
    lines = text(lines)
    rejects, others = [], []
    one = diurnal.read_line_protocol(lines, threads=1, on_error=rejects.append)
    assert same(diurnal.read_line_protocol(io.BytesIO(lines), threads=3, on_error=others.append), one)
    assert rejects == others


def test_many_lines_on_many_threads_are_those_of_one_thread(tmp_path):
    lines = text(f"m{number % 5},host=h{number % 1000} v={number},s=\"{'x' * (number % 40)}\" {number // 3}" for number in range(200_000))
    path = tmp_path / "lines.lp.gz"
    path.write_bytes(gzip.compress(lines, 1))
    one = diurnal.read_line_protocol(lines, threads=1)
    assert sum(table.num_rows for table in one.values()) == 200_000
    assert same(diurnal.read_line_protocol(lines, threads=4), one)
    assert same(diurnal.read_line_protocol(path, threads=4), one)


def test_strings_over_several_lines_and_lines_longer_than_blocks_are_cut_alike_in_memory_and_from_files():
    lines = bytearray()
    for number in range(20_000):
        lines += b'm%d,host=h%d v=%d,s="two\nlines, = x" %d\n' % (number % 3, number % 7, number, number // 2)
        if number == 5_000:
            lines += b'long text="' + b"x" * ((1 << 18) + 10) + b'" 1\nbad\n# ' + b'z"' * (9 << 20) + b"\ntoo long " + b'"y' * (9 << 20) + b"\n"
    lines, found = bytes(lines), []
    for source, threads in ((lines, 1), (lines, 5), (io.BytesIO(lines), 1), (io.BytesIO(lines), 3)):
        rejects = []
        found.append((diurnal.read_line_protocol(source, threads=threads, on_error=rejects.append), rejects))
    (one, rejects), *others = found
    assert [reject.reason for reject in rejects] == ["no_fields", "line_too_long"]
    assert {name: table.num_rows for name, table in one.items()} == {"long": 1, "m0": 6667, "m1": 6667, "m2": 6666}
    assert all(same(tables, one) and told == rejects for tables, told in others)


def test_calls_of_several_threads_of_python_do_not_meet():
    lines = text(f"m,host=h{number % 10} v={number} {number}" for number in range(20_000))
    expected, found = diurnal.read_line_protocol(lines), []
    threads = [threading.Thread(target=lambda: found.append(diurnal.read_line_protocol(lines, threads=2))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and all(same(tables, expected) for tables in found)


def test_python_goes_on_while_lines_are_read():
    class Waiting(io.BytesIO):
        """Is read by one thread while another one has to get a turn."""

        asked = threading.Event()
        other = threading.Event()

        def read(self, size=-1):
            self.asked.set()
            assert self.other.wait(60)
            return super().read(size)

    source = Waiting(LINES)

    def go_on():
        source.asked.wait(60)
        source.other.set()

    thread = threading.Thread(target=go_on)
    thread.start()
    assert diurnal.read_line_protocol(source)["m"].num_rows == 2
    thread.join()


def test_a_process_that_was_forked_reads_too():
    diurnal.read_line_protocol(LINES, threads=4)
    code = (
        "import os, sys, diurnal\n"
        "lines = b'm v=1 1\\n' * 100000\n"
        "diurnal.read_line_protocol(lines, threads=4)\n"
        "child = os.fork()\n"
        "rows = diurnal.read_line_protocol(lines, threads=4)['m'].num_rows\n"
        "if child == 0: os._exit(rows)\n"
        "sys.exit(0 if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == rows == 1 else 3)\n"
    )
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=120).returncode == 0


def test_ctrl_c_ends_the_reading():
    class Long:
        calls = 0

        def read(self, size):
            self.calls += 1
            if self.calls == 2:
                os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.001)
            # Far more than is read by then; without an end a signal that does nothing would fill the memory.
            return b"m v=1 1\n" * 10_000 if self.calls < 500 else b""

    # A shell's background jobs ignore the signal, and Python then leaves it so.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            diurnal.read_line_protocol(Long(), threads=2)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("precision, factor", [("ns", 1), ("us", 10**3), ("ms", 10**6), ("s", 10**9)])
def test_precision_is_the_unit_of_times(precision, factor):
    table = diurnal.read_line_protocol(b"m v=1 1592568000\nm v=2 -3", precision=precision)["m"]
    assert table["time"].cast(pa.int64()).to_pylist() == [-3 * factor, 1592568000 * factor]


@pytest.mark.parametrize(
    "time",
    [
        1592568000123456000,
        np.int64(1592568000123456000),
        datetime.datetime(2020, 6, 19, 12, 0, 0, 123456, tzinfo=datetime.timezone.utc),
        datetime.datetime(2020, 6, 19, 14, 0, 0, 123456, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
        np.datetime64("2020-06-19T12:00:00.123456"),
        pd.Timestamp("2020-06-19T12:00:00.123456Z"),
    ],
)
def test_the_default_time_is_what_it_says(time):
    table = diurnal.read_line_protocol(b"m v=1", default_time=time)["m"]
    assert table["time"].cast(pa.int64()).to_pylist() == [1592568000123456000]


def test_the_default_time_of_pandas_has_its_nanoseconds():
    for time in (pd.Timestamp(1592568000123456789, tz="UTC"), pd.Timestamp(-1, tz="Europe/Berlin")):
        table = diurnal.read_line_protocol(b"m v=1", default_time=time)["m"]
        assert table["time"].cast(pa.int64()).to_pylist() == [time.value]


def test_no_lines_give_no_tables(tmp_path):
    (tmp_path / "empty").touch()
    for source in (b"", b"\n# nothing\n\n", tmp_path / "empty", io.BytesIO()):
        assert diurnal.read_line_protocol(source) == {}


def test_bad_lines_raise_with_the_first_of_them():
    lines = b"room,name=hall temperature=20.5 1\nroom,name=hall temperature=warm 2\nroom\n"
    with pytest.raises(diurnal.LineProtocolError) as raised:
        diurnal.read_line_protocol(lines)
    error = raised.value
    assert isinstance(error, ValueError) and isinstance(error, diurnal.Error)
    assert (error.rejected, error.lines) == (2, 3)
    assert error.rejects[0] == diurnal.Reject(
        line=b"room,name=hall temperature=warm 2",
        offset=34,
        reason="bad_number",
        message="a field value is no number, boolean or quoted string",
        byte=28,
        detail=None,
        measurement=None,
        column=None,
        length=33,
    )
    assert "2 of 3 lines are no good" in str(error) and "bad_number" in str(error) and "temperature=warm" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.rejects) == (str(error), error.rejects)


def test_bad_lines_are_left_out_kept_or_warned_of():
    lines = b"m v=1 1\nbad\nm v=x 2\n"
    assert diurnal.read_line_protocol(lines, on_error="skip")["m"].num_rows == 1
    with pytest.warns(UserWarning, match="2 of 3 lines are no good") as warned:
        assert diurnal.read_line_protocol(lines, on_error="warn")["m"].num_rows == 1
    assert warned[0].filename == __file__
    rejects = []
    diurnal.read_line_protocol(lines, on_error=rejects.append)
    assert [reject.line for reject in rejects] == [b"bad", b"m v=x 2"]
    with pytest.raises(ZeroDivisionError):
        diurnal.read_line_protocol(lines, on_error=lambda reject: 1 // 0)


def test_a_value_that_does_not_fit_its_column_is_a_reject_that_names_it():
    rejects = []
    tables = diurnal.read_line_protocol(b'm v=1.5 1\nm v="text" 2\nm v=9007199254740993i 3\n', on_error=rejects.append)
    assert tables["m"]["v"].to_pylist() == [1.5]
    assert [(reject.reason, reject.measurement, reject.column) for reject in rejects] == [("type_mismatch", "m", "v")] * 2
    assert "text" in rejects[0].detail and "is float" in rejects[0].detail


def test_lines_of_one_point_are_one_row_and_conflicts_are_kept():
    table = diurnal.read_line_protocol(b"m,h=a v=2 1\nm,h=a w=1i 1\nm,h=a v=1 1\nm,h=a v=2 1\n")["m"]
    assert table.select(["v", "w"]).to_pylist() == [{"v": 1.0, "w": 1}, {"v": 2.0, "w": None}]


def test_a_line_that_is_too_long_is_kept_in_part():
    rejects = []
    long = b'm s="' + b"x" * (17 << 20) + b'" 1'
    tables = diurnal.read_line_protocol(long + b"\nm v=1 2\n", on_error=rejects.append)
    assert tables["m"].num_rows == 1
    assert (rejects[0].reason, len(rejects[0].line), rejects[0].length) == ("line_too_long", 64 << 10, len(long))


def test_what_is_no_source_is_said():
    with pytest.raises(FileNotFoundError) as raised:
        diurnal.read_line_protocol("/no/such/file.lp")
    assert raised.value.filename == "/no/such/file.lp"
    with pytest.raises(IsADirectoryError):
        diurnal.read_line_protocol("/")
    with pytest.raises(TypeError, match="not int"):
        diurnal.read_line_protocol(5)
    with pytest.raises(TypeError, match="mode 'rb'"):
        diurnal.read_line_protocol(io.StringIO("m v=1 1"))


def test_a_damaged_file_gives_no_table(tmp_path):
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(LINES * 1000)[:-20])
    with pytest.raises(diurnal.Error) as raised:
        diurnal.read_line_protocol(path)
    assert raised.value.object == str(path) and "cannot read it" in raised.value.cause
    assert "archived" not in str(raised.value)


def test_an_exception_of_a_file_comes_through():
    class Broken:
        def read(self, size):
            raise LookupError("the cloud is gone")

    for threads in (1, 2):
        with pytest.raises(LookupError, match="the cloud is gone"):
            diurnal.read_line_protocol(Broken(), threads=threads)


@pytest.mark.parametrize(
    "wrong, error",
    [
        ({"precision": "h"}, ValueError),
        ({"time_unit": "ms"}, ValueError),
        ({"on_error": "ignore"}, ValueError),
        ({"threads": 0}, ValueError),
        ({"default_time": datetime.datetime(2020, 6, 19)}, ValueError),
        ({"default_time": "2020-06-19"}, TypeError),
        ({"default_time": 1 << 64}, OverflowError),
        ({"schemas": "/no/such/folder"}, diurnal.Error),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(wrong, error):
    with pytest.raises(error):
        diurnal.read_line_protocol(b"m v=1 1", **wrong)


@given(lines=st.binary(max_size=200))
def test_any_bytes_are_tables_or_rejects(lines):
    rejects = []
    try:
        diurnal.read_line_protocol(lines, on_error=rejects.append)
    except diurnal.Error as error:
        # Bytes that start as a compressed file does.
        assert "cannot read it" in error.cause
    assert all(reject.line in lines for reject in rejects)
