#!/usr/bin/env python3
"""Line protocol in memory -> one sorted pyarrow table a measurement: diurnal against what else reads line protocol in Python.

    python/benches/run.sh [LINES]                   builds the wheel and what it is compared with, then runs this
    read.py FILE.lp LINES_TO_ARROW [ROUNDS]         in an environment that has them

Every candidate gets the same bytes and has to give the same tables: time, tags as dictionaries, typed fields, sorted by time (diurnal sorts by the tags
too, and folds). They take turns in every round, in another order each time; a ratio is the median of the rounds' own ratios. Those that
are much slower get the first part of the lines, as many as are named.

- `plain Python`: benches/peers/python_drain.py, columns as lists, pyarrow for types and sort.
- `line-protocol-parser`: PyPI's parser in C, a dictionary for each line; the same columns and sort.
- `pyilpp`: PyPI's parser on pyparsing, the same.
- `Rust, the same call`: `examples/lines_to_arrow.rs`, a process that reads the file and parses it on one thread.

InfluxDB's own packages for Python (`influxdb-client`, `influxdb3-python`, `influxdb`) write line protocol and do not read it
(influxdata/influxdb-client-python#577 says that a parser is out of its scope): there is nothing of theirs to measure.
"""

import importlib.metadata
import importlib.util
import os
import platform
import random
import statistics
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute

import diurnal

PEERS = Path(__file__).parents[2] / "benches/peers/python_drain.py"


def plain_python():
    """The parser and the columns of the consumer that is written in plain Python, which wants a Kafka client when it is loaded."""
    sys.modules.setdefault("confluent_kafka", types.SimpleNamespace(Consumer=None, TopicPartition=None))
    spec = importlib.util.spec_from_file_location("python_drain", PEERS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PLAIN = plain_python()


def tables_of(points):
    """Tables of (measurement, tags, fields, time)."""
    tables = {}
    for name, tags, fields, at in points:
        table = tables.get(name)
        if table is None:
            table = tables[name] = PLAIN.Table()
        table.add(at, tags, fields)
    return {name: table.arrow().take(pa.array(np.argsort(np.array(table.time, dtype=np.int64), kind="stable"))) for name, table in tables.items()}


def with_plain_python(lines):
    return tables_of(PLAIN.parse(line) for line in lines.decode().splitlines() if line and line[0] != "#")


def with_line_protocol_parser(lines):
    from line_protocol_parser import parse_line

    def points():
        for line in lines.decode().splitlines():
            point = parse_line(line)
            yield point["measurement"], point["tags"].items(), point["fields"].items(), point["time"]

    return tables_of(points())


def with_pyilpp(lines):
    import pyilpp

    points = pyilpp.parse(lines.decode())
    return tables_of((point["measurement"], point["tags"].items(), point["fields"].items(), point["time"]) for point in points)


def check(name, found, expected):
    """The tables hold the same values, whatever the order of columns."""
    assert sorted(found) == sorted(expected), name
    for measurement, table in found.items():
        ours = expected[measurement]
        assert table.num_rows == ours.num_rows, name
        for column in table.column_names:
            if column not in ("time", "host", "cpu"):
                theirs, own = (pa.compute.sum(t[column].cast(pa.float64())).as_py() for t in (table, ours))
                assert abs(theirs - own) <= 1e-6 * abs(own), (name, measurement, column)


def main():
    path, example = Path(sys.argv[1]), sys.argv[2]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    lines = path.read_bytes()
    count = lines.count(b"\n")
    cores = len(os.sched_getaffinity(0))

    def first(number):
        end, at = 0, 0
        while at < min(number, count):
            end = lines.index(b"\n", end) + 1
            at += 1
        return lines[:end], at

    candidates = {
        "diurnal": (lambda data: diurnal.read_line_protocol(data, threads=1), count),
        f"diurnal, {cores} threads": (lambda data: diurnal.read_line_protocol(data, threads=cores), count),
        "Rust, the same call": (lambda data: subprocess.run([example, path], check=True, stdout=subprocess.DEVNULL), count),
        "line-protocol-parser": (with_line_protocol_parser, 200_000),
        "plain Python": (with_plain_python, 100_000),
        "pyilpp": (with_pyilpp, 500),
    }
    data = {name: first(number) for name, (_, number) in candidates.items()}
    for name, (read, _) in candidates.items():
        if name != "Rust, the same call":
            check(name, read(data[name][0]), diurnal.read_line_protocol(data[name][0]))

    taken = {name: [] for name in candidates}
    shuffled = random.Random(1)
    for _ in range(rounds):
        for name in shuffled.sample(list(candidates), len(candidates)):
            read = candidates[name][0]
            wall, cpu = time.perf_counter(), time.process_time()
            read(data[name][0])
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            taken[name].append((wall / data[name][1], cpu / data[name][1]))
    versions = {name: importlib.metadata.version(name) for name in ("line-protocol-parser", "pyilpp", "pyarrow")}
    print(f"{count:,} lines, {len(lines) / 1e6:.0f} MB, {cores} cores, Python {platform.python_version()}, {versions}, medians of {rounds} rounds")
    print("| | lines | us a line | MB/s | times diurnal's, one thread | processor us a line |")
    print("|---|---|---|---|---|---|")
    for name in candidates:
        wall = statistics.median(wall for wall, _ in taken[name])
        ratio = statistics.median(theirs[0] / ours[0] for theirs, ours in zip(taken[name], taken["diurnal"]))
        cpu = statistics.median(cpu for _, cpu in taken[name])
        cpu = "" if name == "Rust, the same call" else f"{cpu * 1e6:.2f}"
        size = len(data[name][0]) / data[name][1]
        print(f"| {name} | {data[name][1]:,} | {wall * 1e6:.2f} | {size / wall / 1e6:.0f} | **{ratio:.2f}** | {cpu} |")


if __name__ == "__main__":
    main()
