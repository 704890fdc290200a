"""Faults on demand. SPARK_TEST_FAULTS holds, separated by spaces:

  kill-driver=WHERE      the driver kills itself (SIGKILL) there: before-begin, after-begin, and so on for each method of `Run`
  kill-executor=STAGE    a task of that stage (parse, route, encode, splice) kills its executor after its first output
  fail=STAGE             a task of that stage raises after its first output
  linger=STAGE           a task of that stage does not end before another attempt of it has: speculation has to start one

SPARK_TEST_MARKS is a folder in which each fault leaves a file of its name; those of tasks happen once."""

import functools
import os
import signal
import time

FAULTS = os.environ["SPARK_TEST_FAULTS"].split()

# The class of an executor's JVM.
EXECUTOR = b"CoarseGrainedExecutorBackend"

# Longer than any other attempt takes.
LINGER_S = 120


def mark(name):
    """Whether this is the first to leave the mark, of all processes."""
    try:
        os.close(os.open(path(name), os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False


def path(name):
    return os.path.join(os.environ["SPARK_TEST_MARKS"], name)


def happens(fault):
    return fault in FAULTS and mark(fault)


def executor():
    """The process of this task's executor: an ancestor of this one, which the daemon forked."""
    process = os.getppid()
    while process > 1:
        with open(f"/proc/{process}/cmdline", "rb") as words:
            if EXECUTOR in words.read():
                return process
        with open(f"/proc/{process}/stat", encoding="utf-8") as stat:
            # The parent is the second word after the name, which is in parentheses and may hold any others (proc_pid_stat(5)).
            process = int(stat.read().rpartition(") ")[2].split()[1])
    raise RuntimeError("this is no task of an executor")


def of_task(stage, work):
    @functools.wraps(work)
    def faulty(*arguments):
        from pyspark import TaskContext

        task = TaskContext.get()
        name = f"{stage}-{task.stageId()}-{task.partitionId()}"
        lingers = task.attemptNumber() == 0 and happens(f"linger={stage}")
        is_first = True
        for batch in work(*arguments):
            yield batch
            if is_first and happens(f"fail={stage}"):
                raise RuntimeError(f"a fault that a test asked for, in {name}")
            if is_first and happens(f"kill-executor={stage}"):
                os.kill(executor(), signal.SIGKILL)
            is_first = False
        end = time.monotonic() + LINGER_S
        while lingers and not os.path.exists(path(f"done-{name}")):
            if time.monotonic() > end:
                raise RuntimeError(f"no other attempt of {name} was started")
            time.sleep(0.01)
        mark(f"done-{name}")

    return faulty


def of_driver(name, method):
    @functools.wraps(method)
    def faulty(*arguments, **named):
        kill_at(f"before-{name}")
        result = method(*arguments, **named)
        kill_at(f"after-{name}")
        return result

    return faulty


def kill_at(where):
    if happens(f"kill-driver={where}"):
        os.kill(os.getpid(), signal.SIGKILL)
