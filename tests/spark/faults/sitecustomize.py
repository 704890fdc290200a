"""Faults on demand for the Spark tests: Python imports this by itself where its folder is on PYTHONPATH, on the driver and on executors.

SPARK_TEST_FAULTS holds, separated by spaces:
  kill-driver=WHERE      the driver kills itself (SIGKILL) there: before-begin, after-begin, ..., for each method of `Run`
  kill-executor=STAGE    a task of that stage (parse, route, encode, splice) kills its executor after its first output
  fail=STAGE             a task of that stage raises after its first output
  linger=STAGE           a task of that stage does not end before another attempt of it has: speculation has to start one
SPARK_TEST_MARKS is a folder in which each fault leaves a file of its name; those of tasks happen once.
"""

import functools
import importlib.machinery
import os
import signal
import sys
import time

# What the daemon, the worker's parent, is a child of.
EXECUTOR = "CoarseGrainedExecutorBackend"

# Longer than a test waits.
LINGER_S = 120


def mark(name):
    """Whether this is the first to leave the mark, of all processes."""
    try:
        os.close(os.open(os.path.join(os.environ["SPARK_TEST_MARKS"], name), os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False


def is_marked(name):
    return os.path.exists(os.path.join(os.environ["SPARK_TEST_MARKS"], name))


def executor():
    """The process of this task's executor."""
    process = os.getppid()
    while process > 1:
        with open(f"/proc/{process}/cmdline", "rb") as words:
            if EXECUTOR.encode() in words.read():
                return process
        with open(f"/proc/{process}/stat", encoding="utf-8") as stat:
            # The parent is the second word after the name, which is in parentheses and may hold any others.
            process = int(stat.read().rpartition(") ")[2].split()[1])
    raise RuntimeError("this is no task of an executor")


def of_task(stage, work, faults):
    """The stage, with faults after its first output."""

    @functools.wraps(work)
    def faulty(*arguments):
        from pyspark import TaskContext

        task = TaskContext.get()
        name = f"{stage}-{task.stageId()}-{task.partitionId()}"
        lingers = f"linger={stage}" in faults and task.attemptNumber() == 0 and mark(f"linger={stage}")
        first = True
        for batch in work(*arguments):
            yield batch
            if first and f"fail={stage}" in faults and mark(f"fail={stage}"):
                raise RuntimeError(f"a fault that a test asked for, in {name}")
            if first and f"kill-executor={stage}" in faults and mark(f"kill-executor={stage}"):
                os.kill(executor(), signal.SIGKILL)
            first = False
        end = time.monotonic() + LINGER_S
        while lingers and not is_marked(f"done-{name}"):
            if time.monotonic() > end:
                raise RuntimeError(f"no other attempt of {name} was started")
            time.sleep(0.01)
        if not lingers:
            mark(f"done-{name}")

    return faulty


def kill_at(where, faults):
    if f"kill-driver={where}" in faults:
        mark(f"kill-driver={where}")
        os.kill(os.getpid(), signal.SIGKILL)


class FaultyRun:
    """`Run` as the driver sees it."""

    def __init__(self, run, faults):
        self._run, self._faults = run, faults

    def __enter__(self):
        self._run.__enter__()
        return self

    def __exit__(self, *error):
        return self._run.__exit__(*error)

    def __getattr__(self, name):
        value = getattr(self._run, name)
        return around(name, value, self._faults) if callable(value) else value


def around(name, method, faults):
    def faulty(*arguments, **named):
        kill_at(f"before-{name}", faults)
        result = method(*arguments, **named)
        kill_at(f"after-{name}", faults)
        return result

    return faulty


def patch(engine, faults):
    for stage in ("parse", "route", "encode", "splice"):
        setattr(engine, stage, of_task(stage, getattr(engine, stage), faults))
    begin = around("begin", engine.Run.begin, faults)

    class Run:
        @staticmethod
        def begin(*arguments, **named):
            return FaultyRun(begin(*arguments, **named), faults)

    engine.Run = Run


class Finder:
    """Patches the package when it is imported, and imports it no earlier than others do: the daemon forks its workers before that."""

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
            patch(importlib.import_module("diurnal.engine"), os.environ["SPARK_TEST_FAULTS"].split())

        spec.loader.exec_module = exec_module
        return spec


if "SPARK_TEST_FAULTS" in os.environ:
    sys.meta_path.insert(0, Finder)
