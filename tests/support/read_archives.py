"""A DuckDB that stays: reads one archive after the other as a user does, with one glob for each measurement and format.

Each line of standard input is an archive as JSON: `archive`, its path; `time_unit`; `schemas`, what its schema files hold; `days`, the
entries of its ledger. Each is answered by a line, `{"wrong": null}` or what is wrong. Of each measurement
- both globs can be read, have the columns and types that the schema says, and the rows of each day that the ledger says;
- each single file has the same types, the schema's order, every declared column, and in CSV the header that it has in Parquet;
- the rows are the same in both formats, floats bit by bit, for the days that have both."""

import csv
import json
import pathlib
import re
import sys

import duckdb

TYPES = {"float": "DOUBLE", "int": "BIGINT", "uint": "UBIGINT", "boolean": "BOOLEAN", "string": "VARCHAR"}
TIMES = {"ns": "TIMESTAMP_NS", "us": "TIMESTAMP"}
FORMATS = ("parquet", "csv")
LAST_TIME = 2**63 - 1
# A name that no column has.
FILE = "file that a row was read from"


class Wrong(Exception):
    pass


def literal(text):
    return "'" + str(text).replace("'", "''") + "'"


def identifier(name):
    return '"' + name.replace('"', '""') + '"'


def expect(what, found, expected):
    if found != expected:
        raise Wrong(f"{what}: {found} instead of {expected}")


def folder_name(measurement):
    """The rule of docs/FORMAT.md."""

    def encoded(match):
        return "".join(f"%{byte:02X}" for byte in match[0].encode())

    name = re.sub(r"[^A-Za-z0-9_.-]", encoded, measurement)
    return re.sub(r"^[._]", encoded, name)


class Measurement:
    """The files of one measurement. `columns` are [name, type, is it declared] in the order of the schema."""

    def __init__(self, connection, folder, columns, days):
        self.connection = connection
        self.folder = folder
        self.columns = columns
        self.types = {name: kind for name, kind, _ in columns}
        self.days = days
        # What DuckDB calls a column of a CSV file: it takes spaces off the ends.
        self.names_in_csv = {}
        self.is_csv_read = True

    def rows(self, sql):
        try:
            return self.connection.execute(sql).fetchall()
        except duckdb.Error as error:
            raise Wrong(f"{error}\n{sql}") from error

    def relation(self, form, file, names):
        """The call that the documentation names. Glob characters of the path above are not meant as such."""
        above = re.sub(r"[*?\[]", r"[\g<0>]", str(self.folder))
        path = literal(f"{above}/{file}.{form}")
        if form == "parquet":
            return f"read_parquet({path}, union_by_name=true, filename={literal(FILE)})"
        types = ", ".join(f"{literal(self.names_in_csv[name])}: {literal(self.types[name])}" for name in names)
        return (
            f"read_csv({path}, union_by_name=true, filename={literal(FILE)}, header=true, delim=',', quote='\"',"
            f" escape='\"', allow_quoted_nulls=false, types={{{types}}})"
        )

    def described(self, form, file, names):
        """Pairs of name and type, the names as the file has them."""
        kinds = self.rows(f"describe select * exclude ({identifier(FILE)}) from {self.relation(form, file, names)}")
        if form == "csv":
            back = {told: name for name, told in self.names_in_csv.items()}
            return [(back.get(told, told), kind) for told, kind, *_ in kinds]
        return [(name, kind) for name, kind, *_ in kinds]

    def header(self, day):
        with open(self.folder / f"{day}.csv", encoding="utf-8", newline="") as file:
            return next(csv.reader(file, strict=True))

    def name_as_in_csv(self, headers):
        """Sets `names_in_csv`, and `is_csv_read` to whether they are names to rely on."""
        names = {name for header in headers.values() for name in header}
        trimmed = {name.strip().lower() for name in names}
        # Where DuckDB has to make up a name, `types` does not always take it.
        self.is_csv_read = bool(names) and len(trimmed) == len(names) and "" not in trimmed
        self.names_in_csv = {name: name for name in names}
        for day, header in headers.items():
            if self.is_csv_read and any(name != name.strip() for name in header):
                path = literal(self.folder / f"{day}.csv")
                sql = f"describe select * from read_csv({path}, header=true, delim=',', quote='\"', escape='\"')"
                self.names_in_csv.update(zip(header, (told for told, *_ in self.rows(sql))))

    def check_format(self, form):
        """Gives the columns of each day that has this format."""
        recorded = {entry["day"]: entry["rows"] for entry in self.days if entry.get(form)}
        there = {path.stem for path in self.folder.glob(f"*.{form}")}
        expect(f"{self.folder}: days in {form}", there, recorded.keys())
        if form == "csv":
            columns = {day: self.header(day) for day in recorded}
            self.name_as_in_csv(columns)
        else:
            described = {day: self.described(form, day, ()) for day in recorded}
            columns = {day: [name for name, _ in of_day] for day, of_day in described.items()}
        declared = {name for name, _, is_declared in self.columns if is_declared}
        for day, names in columns.items():
            what = f"{self.folder}/{day}.{form}"
            in_schema = [(name, kind) for name, kind, _ in self.columns if name in names]
            expect(f"{what}: columns", names, [name for name, _ in in_schema])
            expect(f"{what}: declared columns that are missing", declared - set(names), set())
            if form == "parquet":
                expect(f"{what}: types", described[day], in_schema)
            # With one file, this is what follows anyway.
            elif self.is_csv_read and len(columns) > 1:
                expect(f"{what}: types", self.described(form, day, names), in_schema)
        if not recorded or (form == "csv" and not self.is_csv_read):
            return columns
        every = {name for names in columns.values() for name in names}
        found = dict(self.described(form, "*", every))
        expect(f"{self.folder}/*.{form}: types", found, {name: self.types[name] for name in every})
        if form == "parquet" or self.are_times_read():
            file = f"parse_filename({identifier(FILE)}, true)"
            rows = self.rows(f"select {file}, count(*) from {self.relation(form, '*', every)} group by all")
            expect(f"{self.folder}/*.{form}: rows", dict(rows), recorded)
        return columns

    def are_times_read(self):
        """DuckDB's own infinities it takes from no CSV (docs/FORMAT.md). They can only stand at the ends of a day's times."""
        return all(-LAST_TIME < entry["first"] and entry["last"] < LAST_TIME for entry in self.days)

    def check(self):
        parquet, text = (self.check_format(form) for form in FORMATS)
        both = parquet.keys() & text.keys()
        for day in both:
            expect(f"{self.folder}/{day}.csv: header", text[day], parquet[day])
        if not both or not self.is_csv_read or not self.are_times_read():
            return
        names = list({name: None for day in both for name in parquet[day]})
        chosen = f"parse_filename({identifier(FILE)}, true) in ({', '.join(map(literal, both))})"
        sides = []
        for form, columns, called in (("parquet", parquet, dict(zip(names, names))), ("csv", text, self.names_in_csv)):
            listed = [identifier(called[name]) for name in names]
            # To SQL 0.0 and -0.0 are equal.
            listed += [f"signbit({identifier(called[name])})" for name in names if self.types[name] == "DOUBLE"]
            every = {name for day in columns.values() for name in day}
            sides.append(f"select {', '.join(listed)} from {self.relation(form, '*', every)} where {chosen}")
        # Both have as many rows, so none is in CSV only if none is in Parquet only.
        odd = self.rows(f"({sides[0]}) except all ({sides[1]}) limit 3")
        expect(f"{self.folder}: rows in Parquet only, {names}", odd, [])


def check(database, archive):
    connection = database.cursor()
    root = pathlib.Path(archive["archive"])
    days = {}
    for entry in archive["days"]:
        days.setdefault(entry["measurement"], []).append(entry)
    folders = {path.parent.name for form in FORMATS for path in root.glob(f"*/*.{form}")}
    expect(f"{root}: folders that no commit names", folders - {folder_name(name) for name in days}, set())
    schemas = {schema["measurement"]: schema for schema in archive["schemas"]}
    for measurement, entries in days.items():
        schema = schemas[measurement]
        columns = [("time", TIMES[archive["time_unit"]], True)]
        for kind in ("tag", "field"):
            listed = schema.get(kind, [])
            is_declared = [column.get("origin", "declared") == "declared" for column in listed]
            of_kind = [
                (column["name"], TYPES[column.get("type", "string")], declared)
                for column, declared in zip(listed, is_declared)
            ]
            learned = sorted((column for column in of_kind if not column[2]), key=lambda column: column[0].encode())
            columns += [column for column in of_kind if column[2]] + learned
        Measurement(connection, root / folder_name(measurement), columns, entries).check()


database = duckdb.connect()
# A test may have had other files under the same paths a moment ago.
database.execute("set enable_external_file_cache = false")
for request in sys.stdin:
    try:
        check(database, json.loads(request))
        wrong = None
    except Wrong as found:
        wrong = str(found)
    except Exception as error:  # The next archive is to be read all the same.
        wrong = f"{type(error).__name__}: {error}"
    print(json.dumps({"wrong": wrong}), flush=True)
