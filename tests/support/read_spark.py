"""Reads two archives with Spark in the ways that docs/QUERIES.md names, and prints what came out as one JSON object.

Usage: read_spark.py ARCHIVE-IN-NS ARCHIVE-IN-US MEASUREMENT DAY"""

import json
import sys

from pyspark.sql import SparkSession

ns, us, measurement, day = sys.argv[1:]
spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.memory", "1g")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.sql.session.timeZone", "UTC")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("OFF")


def read(archive):
    return spark.read.option("mergeSchema", "true").parquet(f"{archive}/{measurement}/*.parquet")


def columns(frame):
    rows = frame.orderBy("time").collect()
    # Times and decimals as text, which is exact.
    plain = lambda value: value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
    return {name: [plain(row[name]) for row in rows] for name in frame.columns}


facts = {}
try:
    facts["ns as it is"] = columns(read(ns))
except Exception as error:  # Any is an answer here.
    facts["ns as it is"] = str(error)[:400]
spark.conf.set("spark.sql.legacy.parquet.nanosAsLong", "true")
facts["ns as long"] = columns(read(ns))
spark.conf.set("spark.sql.legacy.parquet.nanosAsLong", "false")
in_us = read(us)
facts["us"] = columns(in_us)
facts["us, type of time"] = dict(in_us.dtypes)["time"]
csv = f"{ns}/{measurement}/{day}.csv"
strings = lambda reader: [row["s"] for row in reader.option("header", "true").csv(csv).orderBy("time").collect()]
facts["CSV as it is"] = strings(spark.read)
facts["CSV, empty strings kept"] = strings(spark.read.option("nullValue", None))
json.dump(facts, sys.stdout)
