#!/usr/bin/env python3
"""confluent-kafka -> line protocol -> rows sorted by time -> daily Parquet (zstd) and CSV per measurement.

    python_drain.py BROKERS TOPIC OUTDIR

One process, written as a user would write it: plain Python parsing with the escapes and quotes of
line protocol handled, columns as lists, pyarrow for the sort and the files.
Reads from the first offset to the end offsets seen at the start; keeps everything in memory.
"""
import json
import os
import sys
import time
from datetime import datetime, timezone

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
from confluent_kafka import Consumer, TopicPartition


def split_unescaped(s, sep):
    """Split at separators that are neither escaped nor inside double quotes."""
    if "\\" not in s and '"' not in s:
        return s.split(sep)
    out, cur, quoted, i = [], [], False, 0
    while i < len(s):
        c = s[i]
        if c == "\\" and i + 1 < len(s):
            cur.append(s[i : i + 2])
            i += 2
            continue
        if c == '"':
            quoted = not quoted
        if c == sep and not quoted:
            out.append("".join(cur))
            cur = []
        else:
            cur.append(c)
        i += 1
    out.append("".join(cur))
    return out


def unescape(s):
    if "\\" not in s:
        return s
    for c in ",= ":
        s = s.replace("\\" + c, c)
    return s


def key_value(s):
    if "\\" not in s:
        k, _, v = s.partition("=")
        return k, v
    i = 0
    while i < len(s):
        if s[i] == "\\":
            i += 2
        elif s[i] == "=":
            return s[:i], s[i + 1 :]
        else:
            i += 1
    raise ValueError(f"no '=' in {s!r}")


TRUE = {"t", "T", "true", "True", "TRUE"}
FALSE = {"f", "F", "false", "False", "FALSE"}


def field_value(v):
    last = v[-1]
    if last == "i":
        return int(v[:-1])
    if last == '"':
        return v[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    if last == "u":
        return int(v[:-1])
    if v in TRUE:
        return True
    if v in FALSE:
        return False
    return float(v)


def parse(line):
    """-> measurement, [(tag, value)], [(field, value)], time in ns or None"""
    if "\\" not in line and '"' not in line:
        parts = line.split(" ")
    else:
        parts = [p for p in split_unescaped(line, " ") if p]
    if len(parts) not in (2, 3):
        raise ValueError(f"not a line: {line!r}")
    head = split_unescaped(parts[0], ",")
    tags = []
    for t in head[1:]:
        k, v = key_value(t)
        tags.append((unescape(k), unescape(v)))
    fields = []
    for f in split_unescaped(parts[1], ","):
        k, v = key_value(f)
        fields.append((unescape(k), field_value(v)))
    return unescape(head[0]), tags, fields, int(parts[2]) if len(parts) == 3 else None


class Table:
    """Columns of one measurement; a column that first appears later is filled up with None."""

    def __init__(self):
        self.n = 0
        self.time = []
        self.tags = {}
        self.fields = {}

    def add(self, t, tags, fields):
        n = self.n
        self.time.append(t)
        for cols, pairs in ((self.tags, tags), (self.fields, fields)):
            for k, v in pairs:
                col = cols.get(k)
                if col is None:
                    col = cols[k] = [None] * n
                elif len(col) < n:
                    col.extend([None] * (n - len(col)))
                col.append(v)
        self.n = n + 1

    def arrow(self):
        def full(c):
            return c + [None] * (self.n - len(c)) if len(c) < self.n else c

        cols = {"time": pa.array(self.time, pa.timestamp("ns", tz="UTC"))}
        for k in sorted(self.tags):
            cols[k] = pa.array(full(self.tags[k]), pa.string()).dictionary_encode()
        for k in sorted(self.fields):
            col = full(self.fields[k])
            try:
                cols[k] = pa.array(col)
            except (pa.ArrowInvalid, pa.ArrowTypeError):
                # mixed kinds: numbers as float, anything else as text
                try:
                    cols[k] = pa.array([None if v is None else float(v) for v in col])
                except ValueError:
                    cols[k] = pa.array([None if v is None else str(v) for v in col])
        return pa.table(cols)


def main():
    brokers, topic, out = sys.argv[1:4]
    t0 = time.perf_counter()
    c = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "peer-python-never-commits",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": 5,
        }
    )
    ends, start = {}, []
    for p in c.list_topics(topic).topics[topic].partitions:
        lo, hi = c.get_watermark_offsets(TopicPartition(topic, p))
        if hi > lo:
            ends[p] = hi
            start.append(TopicPartition(topic, p, lo))
    c.assign(start)
    tables, n, size, bad = {}, 0, 0, 0
    while ends:
        for m in c.consume(10000, 1.0):
            if m.error():
                raise SystemExit(str(m.error()))
            raw = m.value()
            n += 1
            size += len(raw)
            for line in raw.decode("utf-8").splitlines():
                if not line or line[0] == "#":
                    continue
                try:
                    name, tags, fields, t = parse(line)
                except (ValueError, IndexError) as e:
                    bad += 1
                    print(f"bad line: {e}", file=sys.stderr)
                    continue
                tab = tables.get(name)
                if tab is None:
                    tab = tables[name] = Table()
                tab.add(m.timestamp()[1] * 1_000_000 if t is None else t, tags, fields)
            p = m.partition()
            if p in ends and m.offset() + 1 >= ends[p]:
                del ends[p]
    c.close()
    t1 = time.perf_counter()
    rows = 0
    for name, tab in sorted(tables.items()):
        table = tab.arrow()
        table = table.take(pa.array(np.argsort(np.array(tab.time, dtype=np.int64), kind="stable")))
        day = table["time"].cast(pa.int64()).to_numpy() // 86_400_000_000_000
        lo = 0
        while lo < len(day):
            hi = int(np.searchsorted(day, day[lo], side="right"))
            d = datetime.fromtimestamp(int(day[lo]) * 86400, timezone.utc).strftime("%Y-%m-%d")
            part = table.slice(lo, hi - lo)
            base = os.path.join(out, f"{name}-{d}")
            pq.write_table(part, base + ".parquet", compression="zstd")
            plain = part
            for i, f in enumerate(part.schema):
                if pa.types.is_dictionary(f.type):
                    plain = plain.set_column(i, f.name, part[f.name].cast(pa.string()))
            pcsv.write_csv(plain, base + ".csv")
            rows += hi - lo
            lo = hi
    t2 = time.perf_counter()
    print(json.dumps({"messages": n, "bytes": size, "bad": bad, "rows": rows,
                      "seconds_parse": round(t1 - t0, 3), "seconds_write": round(t2 - t1, 3)}))


if __name__ == "__main__":
    main()
