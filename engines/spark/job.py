#!/usr/bin/env python3
"""`diurnal archive` spread over a Spark cluster: the same archive, byte for byte. See the README beside this file.

Spark reads Kafka, carries blocks of rows between machines and tries again what failed; it never sees what is in them. diurnal's own code
parses the lines, decides on columns and types, merges with the day files that are there, encodes, and commits on the ledger's record.
"""

import argparse
import json
import os
import sys

from diurnal import Error, LockedError, UsageError, engine
from py4j.protocol import Py4JJavaError
from pyspark import StorageLevel, TaskContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.functions import col

# Flags of `diurnal archive` that mean the same here.
SAME_AS_ARCHIVE = (
    "from until replay partitions accept-recreated group timeout timezone time-unit time-range formats schemas precision max-rejects "
    "max-measurements max-columns max-line max-tags max-fields"
).split()

# Blocks are big: so many bytes of them are between Spark and a Python worker at a time.
BYTES_PER_BATCH = 16 << 20

# Blocks in which a value may not fit its column are looked at by the driver, so many at a time.
BLOCKS_AT_A_TIME = 16

# As of `diurnal archive`; those of a run that got to its end are in its report.
FAILED = 1
EXIT_CODES = {UsageError: 2, LockedError: 4}

SPARK_TYPES = {"string": "string", "binary": "binary", "int32": "int", "int64": "bigint"}


def arguments(words=None):
    parser = argparse.ArgumentParser(prog="job.py", description="diurnal archive on a Spark cluster")
    parser.add_argument(
        "--archive", required=True, help="the archive's folder, which every machine of the cluster sees under this path, or s3://BUCKET/PREFIX, ..."
    )
    parser.add_argument(
        "--work", metavar="DIR", help="for an archive in a bucket: a folder that every machine sees under this path; a run's files are there"
    )
    parser.add_argument("--brokers", required=True, metavar="HOST:PORT,...")
    parser.add_argument("--topic", required=True, action="append", help="may be given several times; ^ begins a regular expression")
    parser.add_argument("-X", action="append", default=[], metavar="NAME=VALUE", help="a property of diurnal's own Kafka client (librdkafka)")
    parser.add_argument("-F", metavar="FILE", help="a file of such properties")
    parser.add_argument(
        "--kafka-option", action="append", default=[], metavar="NAME=VALUE", help="a property of Spark's Kafka client (Java), without `kafka.`"
    )
    parser.add_argument("--kafka-file", metavar="FILE", help="a file of such properties, for what should not be seen in `ps`")
    for name in SAME_AS_ARCHIVE:
        parser.add_argument(f"--{name}", help="as of `diurnal archive`")
    parser.add_argument("--partitions-per-core", type=int, default=2, metavar="N", help="parse tasks for each core that Spark has (2)")
    parser.add_argument("--min-partitions", type=int, default=1, metavar="N", help="parse tasks at least (1)")
    parser.add_argument("--unit-rows", type=int, metavar="N", help="rows that one encode task takes, about")
    parser.add_argument("--memory", metavar="BYTES", help="what diurnal's code may take in each task, Spark's memory beside it (512MiB)")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    return parser.parse_args(words)


def properties(lines):
    """NAME=VALUE lines, as of a Java properties file without escapes."""
    stripped = (line.strip() for line in lines)
    pairs = (line.split("=", 1) for line in stripped if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def for_engine(options):
    """What `diurnal.engine` is told, by the names of the command line."""
    given = {name: getattr(options, name.replace("-", "_")) for name in (*SAME_AS_ARCHIVE, "memory")}
    given["X"] = "\n".join(options.X) or None
    given["F"] = options.F
    return {name: value for name, value in given.items() if value is not None}


def kafka_rows(spark, run, options):
    """The messages from the run's first offsets to its frozen ends, in as many pieces as the cluster has use for."""
    pieces = max(options.min_partitions, options.partitions_per_core * spark.sparkContext.defaultParallelism)
    topics = {topic: sorted(map(int, offsets)) for topic, offsets in json.loads(run.starting_offsets).items()}
    reader = (
        spark.read.format("kafka")
        .option("assign", json.dumps(topics))
        .option("startingOffsets", run.starting_offsets)
        .option("endingOffsets", run.ending_offsets)
        .option("minPartitions", pieces)
        .option("failOnDataLoss", "true")
    )
    client = {"bootstrap.servers": options.brokers}
    if options.kafka_file:
        with open(options.kafka_file, encoding="utf-8") as lines:
            client |= properties(lines)
    client |= properties(options.kafka_option)
    # Last, so that no property undoes it: messages of aborted transactions are none.
    client["isolation.level"] = "read_committed"
    for name, value in client.items():
        reader = reader.option(f"kafka.{name}", value)
    return reader.load().selectExpr("topic", "partition", "offset", "unix_millis(timestamp) as timestamp", "value")


def in_tasks(rows, schema, work):
    """The rows after `work`, one of diurnal's stages, on the cluster. A stage sees the rows of its task and gives those of `schema`."""
    return rows.mapInArrow(work, ", ".join(f"`{field.name}` {SPARK_TYPES[str(field.type)]}" for field in schema))


def payloads(rows):
    return [bytes(row.payload) for row in rows.select("payload").collect()]


def attempt():
    """A name that no other attempt of any task has: it stages into a folder of its own, so a task may run twice, also at a time."""
    task = TaskContext.get()
    return f"{task.stageId()}-{task.partitionId()}-{task.taskAttemptId()}"


def encode_on_cluster(spark, run, options):
    """From Kafka to staged files; gives what `commit` wants to know of them."""
    intent = run.intent
    parsed = in_tasks(
        kafka_rows(spark, run, options),
        engine.PARSED,
        lambda batches: engine.parse(intent, TaskContext.get().partitionId(), batches),
    ).persist(StorageLevel.MEMORY_AND_DISK)

    doubtful = run.settle(payloads(parsed.where(col("block").isNull())))
    for start in range(0, len(doubtful), BLOCKS_AT_A_TIME):
        blocks = parsed.where(col("block").isin(doubtful[start : start + BLOCKS_AT_A_TIME]))
        run.examine(blocks.toArrow().to_batches())
    plan = run.plan(options.unit_rows)

    blocks = parsed.where(col("block").isNotNull())
    routed = in_tasks(blocks, engine.ROUTED, lambda batches: engine.route(plan, batches))
    by_task = one_partition_each(routed, run.tasks).sortWithinPartitions("task", "unit", "first")
    encoded = payloads(in_tasks(by_task, engine.RESULT, lambda batches: engine.encode(plan, attempt(), batches)))
    parsed.unpersist()

    hot_days = list(enumerate(run.encoded(encoded)))
    if not hot_days:
        return []
    items = spark.createDataFrame(hot_days, "task int, payload binary")
    items = one_partition_each(items, len(hot_days)).select("payload")
    return payloads(in_tasks(items, engine.RESULT, lambda batches: engine.splice(plan, attempt(), batches)))


def one_partition_each(rows, tasks):
    """Every number of `task` is a partition, and so a Spark task, of its own."""
    return rows.repartitionById(max(tasks, 1), "task")


def session():
    spark = SparkSession.builder.appName("diurnal archive").getOrCreate()
    for name, value in {
        "spark.sql.execution.arrow.maxBytesPerBatch": BYTES_PER_BATCH,
        # The partitions are those that diurnal planned.
        "spark.sql.adaptive.enabled": "false",
    }.items():
        spark.conf.set(name, value)
    return spark


def main():
    options = arguments()
    if options.work:
        # Where a run on a bucket has its files, those too that its tasks stage.
        os.environ["TMPDIR"] = options.work
    try:
        # Before anything of the cluster is taken: wrong usage, a lock that is held, a broker that is away are told at once.
        with engine.Run.begin(options.archive, options.brokers, options.topic, options=for_engine(options)) as run:
            spark = session()
            try:
                spliced = [] if run.is_idle else encode_on_cluster(spark, run, options)
            finally:
                spark.stop()
            # Without Spark: no trouble of its own can come after the commit, and nothing of the cluster waits for it.
            report = run.commit(spliced)
    except (Py4JJavaError, PySparkException) as error:
        print(f"diurnal: Spark: {error}\nNothing was committed; run it again.", file=sys.stderr)
        return FAILED
    except Error as error:
        print(f"diurnal: {error}", file=sys.stderr)
        return EXIT_CODES.get(type(error), FAILED)
    facts = json.loads(report)
    if options.json:
        print(report)
    else:
        print(f"{facts['lines']} lines: {facts['points']} new points, {facts['folded']} folded, {facts['rejected']} rejected")
    return facts["exit_code"]


if __name__ == "__main__":
    sys.exit(main())
