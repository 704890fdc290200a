"""What run.sh measured, as a table: where the executors' time went, and what a line costs on Spark and on one machine.

Usage: figures.py OUT LINES, where OUT has a folder for each run of each engine."""

import json
import statistics
import sys
from pathlib import Path

out, lines = Path(sys.argv[1]), int(sys.argv[2])


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def words(path):
    return [float(word) for word in path.read_text().split()]


def of_spark(folder):
    """Seconds of one run, from Spark's event log and from diurnal's stages."""
    run_s = cpu_s = gc_s = shuffled = 0
    tasks = 0
    first = last = None
    for log in sorted((folder / "events").rglob("events_*")) or sorted((folder / "events").iterdir()):
        if not log.is_file():
            continue
        for event in read_lines(log):
            if event["Event"] == "SparkListenerJobStart":
                first = first or event["Submission Time"]
            if event["Event"] == "SparkListenerJobEnd":
                last = event["Completion Time"]
            if event["Event"] != "SparkListenerTaskEnd":
                continue
            metrics = event["Task Metrics"]
            tasks += 1
            run_s += metrics["Executor Run Time"] / 1e3
            cpu_s += metrics["Executor CPU Time"] / 1e9
            gc_s += metrics["JVM GC Time"] / 1e3
            shuffled += metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"]
    ours = {}
    waited = {}
    for path in (folder / "times").glob("[0-9]*.jsonl"):
        for task in read_lines(path):
            ours[task["stage"]] = ours.get(task["stage"], 0) + task["ours_s"]
            waited[task["stage"]] = waited.get(task["stage"], 0) + task["waited_s"]
    driver = {}
    for call in read_lines(folder / "times" / "driver.jsonl"):
        driver[call["call"]] = driver.get(call["call"], 0) + call["s"]
    wall, user, system = words(folder / "time")
    return {
        "wall_s": wall, "jobs_s": (last - first) / 1e3, "tasks": tasks, "executor_run_s": run_s, "jvm_cpu_s": cpu_s, "gc_s": gc_s,
        "shuffled_bytes": shuffled, "ours_s": ours, "waited_s": waited, "driver_s": driver,
    }  # fmt: skip


def of_one(folder):
    wall, user, system = words(folder / "time")
    return {"wall_s": wall, "cpu_s": user + system}


def median(runs, what):
    return statistics.median(map(what, runs))


spark = [of_spark(folder) for folder in sorted(out.glob("spark-*"))]
one = [of_one(folder) for folder in sorted(out.glob("one-*"))]
run_s = median(spark, lambda run: run["executor_run_s"])
ours_s = median(spark, lambda run: sum(run["ours_s"].values()))
one_wall, one_cpu = median(one, lambda run: run["wall_s"]), median(one, lambda run: run["cpu_s"])

print(f"{lines} lines, medians of {len(spark)} runs of Spark and {len(one)} of diurnal archive, in turn\n")
print(f"{'':<44} {'Spark':>10} {'one machine':>12}")


def row(name, of_spark, of_one=None, digits=1):
    of_one = "" if of_one is None else f"{of_one:,.{digits}f}"
    print(f"{name:<44} {of_spark:>10,.{digits}f} {of_one:>12}")


row("seconds from start to end", median(spark, lambda run: run["wall_s"]), one_wall)
row("seconds of Spark's jobs", median(spark, lambda run: run["jobs_s"]))
row("lines/s, start to end", lines / median(spark, lambda run: run["wall_s"]), lines / one_wall, 0)
row("core seconds: executors' run time | CPU", run_s, one_cpu)
row("lines/s for each core", lines / run_s, lines / one_cpu, 0)
row("core seconds for 1M lines", run_s / lines * 1e6, one_cpu / lines * 1e6, 2)
row("times the core seconds of one machine", run_s / one_cpu, digits=2)
row("seconds in diurnal's code, all tasks", ours_s)
row("share of executors' time in diurnal's code", ours_s / run_s, digits=3)
for stage in ("parse", "route", "encode", "splice"):
    row(f"  {stage}", median(spark, lambda run: run["ours_s"].get(stage, 0)))
row("seconds of garbage collection", median(spark, lambda run: run["gc_s"]))
row("shuffled bytes a line", median(spark, lambda run: run["shuffled_bytes"]) / lines)
row("tasks", median(spark, lambda run: run["tasks"]), digits=0)
for call in ("begin", "settle", "examine", "plan", "encoded", "commit"):
    row(f"  driver: {call}", median(spark, lambda run: run["driver_s"].get(call, 0)), digits=2)
(out / "figures.json").write_text(json.dumps({"lines": lines, "spark": spark, "one": one}, indent=1) + "\n")
