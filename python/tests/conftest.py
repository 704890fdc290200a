"""What the tests of the package stand on: lines made up at random, and the program that archives them.

`DIURNAL_PROGRAM` is the path of `diurnal`; without it tests that compare with an archive are skipped. tests/python/mod.rs of the repository
builds and installs the package, and runs these with the program that it tests.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "short",
    max_examples=25,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile("long", settings.get_profile("short"), max_examples=400)
settings.load_profile("long" if os.environ.get("DIURNAL_TEST_LONG") == "1" else "short")


class Program:
    """The program `diurnal`, each time with an archive of its own."""

    def __init__(self, path: str, folder: Path) -> None:
        self.path, self.folder, self.archives = path, folder, 0

    def importing(self, lines: bytes, *flags: str):
        """The folder of a new archive of these lines, and what `--json` says of the run."""
        self.archives += 1
        archive = self.folder / f"archive-{self.archives}"
        command = [self.path, "import", "--archive", archive, "--json", "--time-range", "..", "--max-rejects", "100%", *flags, "-"]
        done = subprocess.run(command, input=lines, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return archive, json.loads(done.stdout)


@pytest.fixture
def program(tmp_path) -> Program:
    path = os.environ.get("DIURNAL_PROGRAM")
    if path is None:
        pytest.skip("DIURNAL_PROGRAM does not name the program")
    return Program(path, tmp_path)
