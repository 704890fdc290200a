"""Clocks, for `benches/spark`. Each task appends a line to SPARK_BENCH_TIMES/PROCESS.jsonl: its stage, and the seconds that passed in diurnal's
code, those of waiting for Spark's rows and of Spark's taking what came out excluded. Each call of the driver appends one to driver.jsonl."""

import functools
import json
import os
import time


def note(name, facts):
    with open(os.path.join(os.environ["SPARK_BENCH_TIMES"], f"{name}.jsonl"), "a", encoding="utf-8") as times:
        print(json.dumps(facts), file=times)


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def each(self, items):
        """The items, the time that each takes to come counted."""
        items = iter(items)
        while True:
            start = time.perf_counter()
            try:
                item = next(items)
            except StopIteration:
                return
            finally:
                self.seconds += time.perf_counter() - start
            yield item


def of_task(stage, work):
    @functools.wraps(work)
    def timed(*arguments):
        *first, batches = arguments
        waiting, all_of_it = Clock(), Clock()
        yield from all_of_it.each(work(*first, waiting.each(batches)))
        note(os.getpid(), {"stage": stage, "ours_s": all_of_it.seconds - waiting.seconds, "waited_s": waiting.seconds})

    return timed


def of_driver(name, method):
    @functools.wraps(method)
    def timed(*arguments, **named):
        start = time.perf_counter()
        result = method(*arguments, **named)
        note("driver", {"call": name, "s": time.perf_counter() - start})
        return result

    return timed
