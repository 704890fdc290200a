"""Runs SQL from standard input in DuckDB and prints the rows of its last result as one JSON array of objects.

Times are cast to text in the SQL where nanoseconds matter: Python's datetime has none."""

import json
import sys

import duckdb

connection = duckdb.connect()
result = None
for statement in duckdb.extract_statements(sys.stdin.read()):
    result = connection.execute(statement)
names = [column[0] for column in result.description]
rows = [dict(zip(names, row)) for row in result.fetchall()]
json.dump(rows, sys.stdout, default=str)
