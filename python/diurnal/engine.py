"""One run of ``diurnal archive``, its work spread over machines by an engine such as Apache Spark.

The engine reads Kafka, moves rows and repeats what fails; every line is parsed and every byte of a day file is made by diurnal's own code,
so the archive is that of a run on one machine, to the byte. The driver of a job has a :class:`Run`, which holds the archive's lock; its
tasks call the functions:

==================== ========= ===================================================== =======================================
step                 where     takes                                                 gives
==================== ========= ===================================================== =======================================
:meth:`Run.begin`    driver    the archive, Kafka                                    an intent, offsets from and to
:func:`parse`        tasks     messages                                              blocks of typed rows, a summary a task
:meth:`Run.settle`   driver    summaries                                             blocks that have to be looked at, mostly none
:meth:`Run.examine`  driver    those blocks
:meth:`Run.plan`     driver                                                          a plan: days cut into units, units dealt to tasks
:func:`route`        tasks     blocks                                                blocks with the number of the task that needs them
:func:`encode`       tasks     the blocks of a task, sorted by (task, unit, first)   what was made of its units
:meth:`Run.encoded`  driver    that of all tasks                                     days that have to be put together, mostly none
:func:`splice`       tasks     those                                                 what was made of them
:meth:`Run.commit`   driver    that                                                  one commit in the archive's ledger
==================== ========= ===================================================== =======================================

A task may run twice, at once or later: what it makes follows from what it is given, and each attempt stages into a folder of its own. A driver
that dies leaves debris and no commit; the next run, whoever makes it, starts from the ledger. Tasks and driver have to see the archive under
one path, and to have one version of this package.

Rows cross as record batches of :data:`PARSED`, :data:`ROUTED` and :data:`RESULT`; intent, plan and payloads are bytes that only the same version
understands.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from . import _native

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PARSED", "RESULT", "ROUTED", "Run", "encode", "parse", "route", "splice"]

_schemas: tuple[pa.Schema, pa.Schema, pa.Schema] = _native.engine_schemas()

#: What :func:`parse` gives. A row is a block, or, where ``block`` is null, the summary of a task, of which ``payload`` is all.
PARSED: Final[pa.Schema] = _schemas[0]
#: What :func:`route` gives: a row for each unit that needs a block.
ROUTED: Final[pa.Schema] = _schemas[1]
#: What :func:`encode` and :func:`splice` give: ``payload``.
RESULT: Final[pa.Schema] = _schemas[2]


class Run:
    """A run, in the driver. It holds the archive's lock until :meth:`commit` or :meth:`close`; closed before the commit it leaves nothing.

    A context manager: leaving it closes the run. Its methods can't be called from two threads at once; what they do they do without the
    interpreter.
    """

    def __init__(self, run: _native.EngineRun) -> None:
        self._run = run
        self._tasks: int | None = None
        #: The name of the run: no other one has it.
        self.id: str = run.id()
        #: What every task that parses is to be given.
        self.intent: bytes = run.intent()
        #: Where to read from: what Spark's option ``startingOffsets`` takes.
        self.starting_offsets: str
        #: Where to read up to, exclusive: what ``endingOffsets`` takes.
        self.ending_offsets: str
        self.starting_offsets, self.ending_offsets = run.offsets()
        #: Whether Kafka has nothing new: no job is needed, and :meth:`commit` says so to Kafka's own tools.
        self.is_idle: bool = run.is_idle()

    @staticmethod
    def begin(
        archive: str | os.PathLike[str],
        brokers: str,
        topics: Iterable[str],
        *,
        options: Mapping[str, str] | None = None,
    ) -> Run:
        """Opens the archive, asks Kafka where its topics end, and freezes what is to be read.

        Args:
            archive: the archive's folder, which is made where there is none. Every machine has to see it under this path.
            brokers: ``HOST:PORT``, several with commas between them.
            topics: names; one that starts with ``^`` is a regular expression.
            options: flags of ``diurnal archive`` by name, without the dashes: ``{"timezone": "Europe/Berlin", "formats": "parquet"}``. One that
                is given several times has a value on each line: ``{"X": "security.protocol=ssl\\nssl.ca.location=ca.pem"}``. One without a
                value has the empty string.

        Raises:
            LockedError: another run holds the archive.
            UsageError: flags that can't be meant, or that only a run on one machine has.
            DamagedError: the archive is not what its ledger says.
            Error: brokers that do not answer, a topic that is not there or has no id.
        """
        if isinstance(topics, str):
            raise TypeError("topics is a list of names, not one name")
        flags = ["--archive", os.fspath(archive), "--brokers", brokers]
        for topic in topics:
            flags += ["--topic", topic]
        for name, values in (options or {}).items():
            flag = f"-{name}" if len(name) == 1 else f"--{name}"
            if values == "":
                flags.append(flag)
            for value in values.splitlines():
                flags += [flag, value]
        return Run(_native.EngineRun(flags))

    def settle(self, summaries: Iterable[bytes]) -> list[str]:
        """Takes the summaries of all tasks that parsed: ``payload`` of the rows whose ``block`` is null.

        Returns the names of blocks that :meth:`examine` has to be given, those with lines that may turn out not to fit; mostly none.
        """
        return self._run.settle(list(summaries))

    def examine(self, blocks: Iterable[pa.RecordBatch]) -> None:
        """Takes the blocks that :meth:`settle` asked for: rows as :func:`parse` gave them."""
        for batch in blocks:
            self._run.examine(batch)

    def plan(self, unit_rows: int | None = None) -> bytes:
        """Settles the columns of all lines and plans the days that they touch. What it gives is to be sent to every later task.

        Args:
            unit_rows: about how many rows one task merges and encodes.
        """
        plan, self._tasks = self._run.plan(unit_rows)
        return plan

    @property
    def tasks(self) -> int:
        """How many tasks encode, once :meth:`plan` was called: they are numbered from 0 in ``task`` of :data:`ROUTED`."""
        if self._tasks is None:
            raise RuntimeError("there are tasks once plan() was called")
        return self._tasks

    def encoded(self, results: Iterable[bytes]) -> list[bytes]:
        """Takes ``payload`` of all that :func:`encode` gave. Returns what :func:`splice` has to be given, one item for each day that several
        tasks wrote; mostly none.
        """
        return self._run.encoded(list(results))

    def commit(self, spliced: Iterable[bytes] = ()) -> str:
        """Commits what the tasks made, as one record of the ledger. ``spliced`` is ``payload`` of all that :func:`splice` gave.

        Returns the report that ``diurnal archive --json`` prints. The run is over then, whatever comes of it.
        """
        return self._run.commit(list(spliced))

    def close(self) -> None:
        """Lets go of the archive; what was not committed is dropped. May be called again."""
        self._run.close()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<diurnal.engine.Run {self.id}>"


def parse(intent: bytes, task: int, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Parses messages: batches with the columns ``topic`` (string), ``partition`` (int32), ``offset`` (int64), ``timestamp`` (int64, milliseconds
    since 1970-01-01 UTC, or null) and ``value`` (binary), those of a partition in the order of their offsets.

    Gives :data:`PARSED`: blocks, and at last the summary of the task. ``task`` is a number that no other task of this step has, and that it
    has again when it is repeated.
    """
    return _driven(_native.EngineParse(intent, task), batches)


def route(plan: bytes, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Gives each block of :data:`PARSED` the numbers of the units that need it, and of their tasks: :data:`ROUTED`. Summaries are left out."""
    return _driven(_native.EngineRoute(plan), batches)


def encode(plan: bytes, attempt: str, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Merges blocks of :data:`ROUTED`, all those of a task, sorted by ``(task, unit, first)``, with the files of their days, encodes and stages
    them. Gives :data:`RESULT`. ``attempt`` is a name that no other attempt of any task has.
    """
    return _driven(_native.EngineEncode(plan, attempt), batches)


def splice(plan: bytes, attempt: str, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Puts together the days that several tasks wrote: rows with a ``payload``, an item of :meth:`Run.encoded` each. Gives :data:`RESULT`."""
    return _driven(_native.EngineSplice(plan, attempt), batches)


def _driven(task: Any, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        made = task.push(batch)
        if made is not None:
            yield made
    if hasattr(task, "finish"):
        made = task.finish()
        if made is not None:
            yield made
