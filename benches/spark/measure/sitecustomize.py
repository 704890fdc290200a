"""Times diurnal's stages within Spark's tasks: Python imports this by itself where its folder is on PYTHONPATH.

Each task appends a line to SPARK_BENCH_TIMES/PROCESS.jsonl: its stage, and the seconds that passed in diurnal's code, those of waiting for
Spark's rows and of Spark's taking what came out excluded."""

import functools
import importlib.machinery
import json
import os
import sys
import time


def timed(stage, work):
    @functools.wraps(work)
    def task(*arguments):
        *first, batches = arguments
        waited = 0.0
        rows = 0

        def counted():
            nonlocal waited, rows
            source = iter(batches)
            while True:
                start = time.perf_counter()
                batch = next(source, None)
                waited += time.perf_counter() - start
                if batch is None:
                    return
                rows += batch.num_rows
                yield batch

        ours = 0.0
        output = iter(work(*first, counted()))
        while True:
            start = time.perf_counter()
            batch = next(output, None)
            ours += time.perf_counter() - start
            if batch is None:
                break
            yield batch
        with open(os.path.join(os.environ["SPARK_BENCH_TIMES"], f"{os.getpid()}.jsonl"), "a", encoding="utf-8") as times:
            print(json.dumps({"stage": stage, "ours_s": ours - waited, "waited_s": waited, "rows": rows}), file=times)

    return task


def of_driver(name, method):
    @functools.wraps(method)
    def call(*arguments, **named):
        start = time.perf_counter()
        result = method(*arguments, **named)
        with open(os.path.join(os.environ["SPARK_BENCH_TIMES"], "driver.jsonl"), "a", encoding="utf-8") as times:
            print(json.dumps({"call": name, "s": time.perf_counter() - start}), file=times)
        return result

    return call


class TimedRun:
    def __init__(self, run):
        self._run = run

    def __enter__(self):
        self._run.__enter__()
        return self

    def __exit__(self, *error):
        return self._run.__exit__(*error)

    def __getattr__(self, name):
        value = getattr(self._run, name)
        return of_driver(name, value) if callable(value) else value


def patch(engine):
    for stage in ("parse", "route", "encode", "splice"):
        setattr(engine, stage, timed(stage, getattr(engine, stage)))
    begin = of_driver("begin", engine.Run.begin)

    class Run:
        @staticmethod
        def begin(*arguments, **named):
            return TimedRun(begin(*arguments, **named))

    engine.Run = Run


class Finder:
    """Patches the package when it is imported, no earlier than others import it."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "diurnal":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            patch(importlib.import_module("diurnal.engine"))

        spec.loader.exec_module = exec_module
        return spec


if "SPARK_BENCH_TIMES" in os.environ:
    sys.meta_path.insert(0, Finder)
