"""InfluxDB line protocol to Arrow tables, and the day files of a diurnal archive.

>>> import diurnal
>>> tables = diurnal.read_line_protocol(b"cpu,host=a usage_user=1.5 1592568000000000000")
>>> tables["cpu"].column("usage_user").to_pylist()
[1.5]

:func:`read_line_protocol` reads lines, :func:`merge_day` puts tables of one day together and writes the files that an archive would have.
``diurnal.engine`` is for jobs that make an archive on many machines.
"""

from ._day import merge_day
from ._errors import DamagedError, Error, LineProtocolError, LockedError, UsageError
from ._native import __version__
from ._read import Reject, read_line_protocol

__all__ = [
    "DamagedError",
    "Error",
    "LineProtocolError",
    "LockedError",
    "Reject",
    "UsageError",
    "__version__",
    "merge_day",
    "read_line_protocol",
]
