"""An independent reader: checks an archive with DuckDB and with a parser of its own, and prints its row counts.

Usage: check_archive.py ARCHIVE [CAPTURE...]

Every day file is checked: rows in order of time, each on the day of its file (UTC), CSV equal to Parquet row by row.
With captures (`kcat -J` output), the archive must hold the points of their lines and nothing else, in order of time and tags. Prints
{measurement: {day: rows}} as JSON; the first thing that is wrong ends it with a message and exit code 1.

The parser is naive on purpose: it shares nothing with the one under test, and knows what Telegraf sends, not more."""

import datetime
import json
import pathlib
import re
import sys
import urllib.parse

import duckdb

# A run of anything but the delimiter, where a backslash takes the next character along.
ESCAPED = {"tag": r"(?:\\.|[^,= \\])+", "measurement": r"(?:\\.|[^, \\])+"}
HEAD = re.compile(rf"({ESCAPED['measurement']})((?:,{ESCAPED['tag']}={ESCAPED['tag']})*) ")
TAG = re.compile(rf",({ESCAPED['tag']})=({ESCAPED['tag']})")
FIELD = re.compile(rf"({ESCAPED['tag']})=(\"(?:\\.|[^\"\\])*\"|[^, ]+)(,| |$)", re.DOTALL)


def fail(message):
    sys.exit(f"check_archive: {message}")


def unescape(text):
    return re.sub(r"\\([,= ])", r"\1", text)


def value_of(text):
    if text.startswith('"'):
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    if text[-1] in "iu":
        return int(text[:-1])
    if text[0] in "tTfF":
        return text[0] in "tT"
    return float(text)


def points_of(captures):
    """{measurement: {(time, tags as a sorted tuple of pairs): {field: value}}}"""
    points = {}
    for capture in captures:
        for text in open(capture, encoding="utf-8"):
            message = json.loads(text)
            for line in message["payload"].split("\n"):
                if not line:
                    continue
                head = HEAD.match(line)
                measurement = unescape(head[1])
                tags = tuple(sorted((unescape(k), unescape(v)) for k, v in TAG.findall(head[2])))
                fields, at = {}, head.end()
                while True:
                    field = FIELD.match(line, at)
                    fields[unescape(field[1])] = value_of(field[2])
                    at = field.end()
                    if field[3] != ",":
                        break
                time = int(line[at:]) if line[at:] else message["ts"] * 1_000_000
                row = points.setdefault(measurement, {}).setdefault((time, tags), {})
                for name, value in fields.items():
                    if row.setdefault(name, value) != value:
                        fail(f"the captures give {measurement} {tags} {time} two values of {name}")
    return points


def rows_of(connection, relation):
    """Column names and the rows in the file's order, the time as nanoseconds."""
    result = connection.execute(f"select epoch_ns(time) as time, * exclude (time) from {relation}")
    return [column[0] for column in result.description], result.fetchall()


def literal(text):
    return "'" + str(text).replace("'", "''") + "'"


def check_day(connection, parquet, tags):
    """Rows of a day file as dicts without nulls, after all checks that need one file only."""
    day = parquet.stem
    described = connection.execute(f"describe select * from {literal(parquet)}").fetchall()
    types = {name: kind for name, kind, *_ in described}
    names, rows = rows_of(connection, f"read_parquet({literal(parquet)})")
    csv = parquet.with_suffix(".csv")
    if csv.exists():
        listed = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in types.items())
        in_csv = rows_of(
            connection,
            f"read_csv({literal(csv)}, union_by_name=true, header=true, delim=',', quote='\"',"
            f" escape='\"', allow_quoted_nulls=false, types={{{listed}}})",
        )
        if in_csv != (names, rows):
            fail(f"{csv} differs from {parquet}")
    tag_places = [place for place, name in enumerate(names) if name in tags]
    # Nulls first, then bytewise: UTF-8 sorts as its code points do.
    keys = [
        (row[0], [(row[place] is not None, row[place] or "") for place in tag_places]) for row in rows
    ]
    if keys != sorted(keys):
        fail(f"{parquet} is not in order")
    for row in rows:
        second = datetime.datetime.fromtimestamp(row[0] // 10**9, datetime.timezone.utc)
        if second.date().isoformat() != day:
            fail(f"{parquet} holds a row of {second}")
    return [{n: v for n, v in zip(names, row) if v is not None} for row in rows]


def main(archive, captures):
    connection = duckdb.connect()
    expected = points_of(captures)
    counts = {}
    for folder in sorted(path for path in archive.iterdir() if path.name != "_diurnal"):
        measurement = urllib.parse.unquote(folder.name)
        points = expected.pop(measurement, {})
        tags = {name for _, pairs in points for name, _ in pairs}
        found = {}
        for parquet in sorted(folder.glob("*.parquet")):
            rows = check_day(connection, parquet, tags)
            counts.setdefault(measurement, {})[parquet.stem] = len(rows)
            for row in rows:
                pairs = tuple(sorted((name, row.pop(name)) for name in tags if name in row))
                key = (row.pop("time"), pairs)
                if captures and key in found:
                    fail(f"{parquet} holds {key} twice")
                found[key] = row
        if captures and found != points:
            odd = [key for key in found.keys() | points.keys() if found.get(key) != points.get(key)]
            fail(f"{folder}: {odd[0]}: {found.get(odd[0])} instead of {points.get(odd[0])}")
    if expected:
        fail(f"not archived: {sorted(expected)}")
    json.dump(counts, sys.stdout)


main(pathlib.Path(sys.argv[1]), sys.argv[2:])
