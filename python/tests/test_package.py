"""What editors and type checkers are told is what is there."""

import doctest
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import diurnal
import diurnal.engine

FOLDER = Path(diurnal.__file__).parent
MODULES = ["diurnal", "diurnal._read", "diurnal._day", "diurnal.engine"]


def run(folder, *arguments):
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_stubs_are_those_of_the_modules(tmp_path):
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\n[mypy-pyarrow.*]\nignore_missing_imports = True\n")
    run(tmp_path, "mypy.stubtest", "--mypy-config-file", str(config), "--ignore-disjoint-bases", "diurnal")


def test_the_package_and_its_use_pass_a_strict_type_checker(tmp_path):
    use = tmp_path / "use.py"
    use.write_text(
        "import io\n"
        "from pathlib import Path\n"
        "import diurnal\n"
        "rejects: list[diurnal.Reject] = []\n"
        "tables = diurnal.read_line_protocol(b'm v=1 1', precision='s', on_error=rejects.append)\n"
        "diurnal.read_line_protocol(Path('x'), on_error='skip')\n"
        "diurnal.read_line_protocol(io.BytesIO(), schemas='folder')\n"
        "diurnal.merge_day(tables['m'], parquet='day.parquet', csv=io.BytesIO())\n"
        "reason: str = rejects[0].reason\n"
        "from diurnal import engine\n"
        "with engine.Run.begin('archive', 'localhost:9092', ['topic'], options={'formats': 'csv'}) as run:\n"
        "    run.settle([b''])\n"
        "    plan: bytes = run.plan()\n"
        "    run.commit()\n"
    )
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\nstrict = True\n[mypy-pyarrow.*]\nignore_missing_imports = True\nfollow_imports = skip\n")
    run(tmp_path, "mypy", "--config-file", str(config), str(use))
    run(tmp_path, "mypy", "--config-file", str(config), "-p", "diurnal")
    use.write_text("import diurnal\ndiurnal.read_line_protocol(b'', precision='h')\n")
    done = subprocess.run([sys.executable, "-m", "mypy", "--config-file", str(config), str(use)], capture_output=True, text=True)
    assert "arg-type" in done.stdout, done.stdout + done.stderr


def test_the_process_keeps_its_allocator():
    (extension,) = FOLDER.glob("_native*.so")
    # The program's: memory that crosses to Python would be freed by another one than gave it.
    assert b"mimalloc" not in extension.read_bytes()


def test_everything_public_is_documented():
    for module in (diurnal, diurnal.engine):
        for name in module.__all__:
            assert inspect.getdoc(getattr(module, name)), name
    assert (FOLDER / "py.typed").exists()


@pytest.mark.parametrize("module", MODULES)
def test_examples_are_true(module):
    found = doctest.testmod(importlib.import_module(module))
    assert found.failed == 0


def test_it_brings_no_allocator_of_its_own():
    """Memory goes from one library of the process to another: all have to use the same one."""
    native = next(FOLDER.glob("_native*.so")).read_bytes()
    assert b"mimalloc" not in native
