"""Reads the day files of a measurement in a bucket with DuckDB and with pyarrow's own S3 file system, through the endpoint alone.

Usage: read_bucket.py s3://BUCKET/PREFIX/MEASUREMENT. Prints what each of them found as JSON.
"""

import json
import os
import pathlib
import sys
from urllib.parse import urlparse

import duckdb
import duckdb_extension_httpfs
import pyarrow.dataset
import pyarrow.fs

address = sys.argv[1]
endpoint = urlparse(os.environ["AWS_ENDPOINT_URL"])

connection = duckdb.connect()
# The package brings the extension; nothing is fetched.
extension = next(pathlib.Path(duckdb_extension_httpfs.__file__).parent.glob("extensions/*/httpfs.duckdb_extension"))
connection.execute(f"load '{extension}'")
connection.execute(
    f"""create secret (type s3, key_id '{os.environ["AWS_ACCESS_KEY_ID"]}', secret '{os.environ["AWS_SECRET_ACCESS_KEY"]}',
    region '{os.environ["AWS_REGION"]}', endpoint '{endpoint.netloc}', url_style 'path', use_ssl false)"""
)
parquet = connection.execute(f"select count(*), min(time)::varchar, max(time)::varchar from '{address}/*.parquet'").fetchone()
csv = connection.execute(
    f"select count(*) from read_csv('{address}/*.csv', union_by_name=true, header=true, delim=',', quote='\"', escape='\"', "
    "allow_quoted_nulls=false)"
).fetchone()

filesystem = pyarrow.fs.S3FileSystem(
    access_key=os.environ["AWS_ACCESS_KEY_ID"],
    secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    region=os.environ["AWS_REGION"],
    endpoint_override=endpoint.netloc,
    scheme=endpoint.scheme,
)
bucket = address.removeprefix("s3://")
found = filesystem.get_file_info(pyarrow.fs.FileSelector(bucket))
paths = sorted(one.path for one in found if one.path.endswith(".parquet"))
table = pyarrow.dataset.dataset(paths, filesystem=filesystem, format="parquet").to_table()
times = table["time"].cast("int64").to_pylist()

print(json.dumps({"duckdb": list(parquet), "duckdb_csv": csv[0], "pyarrow": len(table), "sorted": times == sorted(times)}))
