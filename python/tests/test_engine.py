"""The steps of a run over many machines, as far as they go without Kafka. engines/spark/ has them with it."""

import pyarrow as pa
import pytest

from diurnal import DamagedError, Error, LockedError, UsageError, engine


def test_what_crosses_has_the_columns_that_jobs_rely_on():
    assert {"block", "measurement", "day", "first", "rows", "payload"} <= set(engine.PARSED.names)
    assert {"task", "unit", "first", "block", "payload"} <= set(engine.ROUTED.names)
    assert engine.RESULT == pa.schema({"payload": pa.binary()})
    assert engine.ROUTED.field("task").type == pa.int32() and engine.PARSED.field("first").type == pa.int64()


@pytest.mark.parametrize(
    "step",
    [
        lambda nonsense: engine.parse(nonsense, 0, []),
        lambda nonsense: engine.route(nonsense, []),
        lambda nonsense: engine.encode(nonsense, "a", []),
        lambda nonsense: engine.splice(nonsense, "a", []),
    ],
)
def test_bytes_of_another_version_are_refused_before_any_work(step):
    for nonsense in (b"", b"{}", b'{"version":"0.0.0"}'):
        with pytest.raises(Error):
            step(nonsense)


def test_a_run_says_what_is_wrong_with_its_options(tmp_path):
    with pytest.raises(UsageError, match="no-such-flag"):
        engine.Run.begin(tmp_path / "archive", "localhost:1", ["t"], options={"no-such-flag": "1"})
    with pytest.raises(UsageError):
        engine.Run.begin(tmp_path / "archive", "localhost:1", ["t"], options={"formats": "xml"})
    with pytest.raises(TypeError, match="not one name"):
        engine.Run.begin(tmp_path / "archive", "localhost:1", "topic")
    assert not list(tmp_path.iterdir())


def test_a_broker_that_is_not_there_is_an_error_that_lets_go_of_the_archive(tmp_path):
    for _ in range(2):
        with pytest.raises(Error) as raised:
            engine.Run.begin(tmp_path / "archive", "localhost:1", ["t"], options={"timeout": "1s"})
        assert not isinstance(raised.value, (LockedError, DamagedError))
        assert "localhost:1" in str(raised.value)


def test_kafka_is_spoken_to_with_the_allocator_of_the_process(tmp_path):
    """librdkafka and OpenSSL come up and go down in a process of Python's, many times and on several threads."""
    from concurrent.futures import ThreadPoolExecutor

    def fail(number):
        with pytest.raises(Error):
            engine.Run.begin(tmp_path / str(number), "localhost:1", ["t"], options={"timeout": "1s", "X": "security.protocol=ssl"})
        return number

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(fail, range(8))) == list(range(8))
