"""Puts faults (`faults.py`) or clocks (`times.py`) around what the Spark job calls of diurnal, on the driver and on executors: Python imports
this by itself where its folder is on PYTHONPATH. The job knows nothing of it.

A hook has `of_task(stage, work)` and `of_driver(name, method)`, which give what is called instead."""

import importlib
import importlib.machinery
import os
import sys

# The functions of `diurnal.engine`, and the methods of its `Run`.
STAGES = ("parse", "route", "encode", "splice")
CALLS = ("begin", "settle", "examine", "plan", "encoded", "commit")

HOOKS = {"SPARK_TEST_FAULTS": "faults", "SPARK_BENCH_TIMES": "times"}


def patch(engine, hook):
    for stage in STAGES:
        setattr(engine, stage, hook.of_task(stage, getattr(engine, stage)))
    for call in CALLS:
        setattr(engine.Run, call, hook.of_driver(call, getattr(engine.Run, call)))
    engine.Run.begin = staticmethod(engine.Run.begin)


class Finder:
    """Patches the package when it is imported, and imports it no earlier than others do: Spark's daemon forks its workers before that."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if name == "diurnal" else None
        if spec is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            for variable, hook in HOOKS.items():
                if variable in os.environ:
                    patch(importlib.import_module("diurnal.engine"), importlib.import_module(hook))

        spec.loader.exec_module = exec_module
        return spec


if any(variable in os.environ for variable in HOOKS):
    sys.meta_path.insert(0, Finder)
