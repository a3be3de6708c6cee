"""A package that is not there is one line that names it, and only what needs it is refused."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sessions.own_process import module_command
from telemetry.source import bug
from tests.cli.test_bad_input import RECORDED
from tui.options.packages import OF_A_RUN, missing, not_loaded

if TYPE_CHECKING:
    from tests.cli.conftest import Command, OnTerminal

ROOT = Path(__file__).parents[2]
URL = "http://127.0.0.1:9"
WITHOUT = """
import shlex, sys
sys.modules[sys.argv[1]] = None
from tui.cli import main
for line in sys.argv[2:]:
    print("CODE", main(shlex.split(line)), file=sys.stderr)
"""
LINES = ["--help", "run --help", "sessions", "run http://127.0.0.1:9 --headless", "summary nosuch"]


@pytest.mark.parametrize(
    ("module", "package", "codes"),
    [
        ("httptools", "httptools", [0, 0, 0, 2, 2]),
        ("tomli_w", "tomli-w", [0, 0, 2, 2, 2]),
        ("msgspec", "msgspec", [0, 2, 2, 2, 2]),
        ("numpy", "numpy", [0, 2, 2, 2, 2]),
    ],
)
def test_a_missing_package_is_one_line_for_those_that_need_it(
    tmp_path: Path, module: str, package: str, codes: list[int]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, module, *LINES],
        cwd=ROOT,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    said = done.stderr.splitlines()
    assert [int(line.split()[1]) for line in said if line.startswith("CODE")] == codes
    line = f"ttftop: error: the package {package} is missing in this Python: {sys.executable} -m pip install"
    assert f"{line} {package}" in said
    assert list(tmp_path.rglob("session.toml")) == []


@pytest.mark.parametrize("module", OF_A_RUN)
def test_no_process_of_a_run_is_started_without_what_it_imports(
    typed: Command, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    done = typed("run", URL, "--headless")
    assert done.returncode == 2
    assert f"the package {module.replace('_', '-')} is missing" in done.stderr


@pytest.mark.slow
def test_a_screen_that_cannot_be_is_told_before_a_run_is_started(
    on_terminal: OnTerminal, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['textual'] = None\n")
    terminal = on_terminal(URL, PYTHONPATH=str(tmp_path))
    terminal.read_until(b"the package textual is missing in this Python")
    terminal.read_until(b"or give --headless for lines instead")
    assert list(tmp_path.rglob("session.toml")) == []


def test_a_process_of_ours_that_lacks_a_package_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import httptools_that_is_not_there\n")
    (tmp_path / "bug.py").write_text("import sessions.nothing_of_that_name\n")
    told = {}
    for name in ("broken", "bug"):
        command = module_command(name)
        command[3] = str(tmp_path)  # where the modules of ours lie
        done = subprocess.run(
            command,
            env={"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        told[name] = done.stderr
    assert told["broken"] == "the package httptools_that_is_not_there is missing in this Python\n"
    assert "Traceback" in told["bug"]


def test_a_module_of_ours_or_of_python_that_is_not_there_is_a_bug() -> None:
    for name in ("sessions.nothing", "json.nothing", "", None):
        assert missing(ModuleNotFoundError("no", name=name)) is None
    assert missing(ModuleNotFoundError("no", name="httpx._client")) is not None


def test_telemetry_names_a_missing_package() -> None:
    assert bug(ModuleNotFoundError("no", name="prometheus_client.parser")) == (
        "the package prometheus_client.parser is missing in this Python"
    )


@pytest.mark.parametrize("said", [b"no library at all", b""])
def test_a_package_that_the_system_does_not_load_is_one_line_with_its_cause(
    tmp_path: Path, said: bytes
) -> None:
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / f"core{EXTENSION_SUFFIXES[0]}").write_bytes(said)
    (tmp_path / "numpy" / "__init__.py").write_text(
        "try:\n    from numpy import core\nexcept ImportError as error:\n"
        "    raise ImportError('read all of this carefully') from error\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, "nothing", f"summary {RECORDED}"],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.startswith("ttftop: error: the package numpy does not load: ")
    assert done.stderr.endswith("install --force-reinstall numpy\nCODE 2\n")
    assert done.stderr.count("\n") == 2


def test_a_package_that_does_not_load_for_want_of_memory_says_so(tmp_path: Path) -> None:
    cause = ImportError("lib.so: failed to map segment from shared object", name="x", path=f"{tmp_path}/x.so")
    told = not_loaded(ImportError("Original error was"))
    assert told is None, "no extension module is told of"
    wrapped = ImportError("Original error was")
    wrapped.__cause__ = cause
    told = not_loaded(wrapped)
    assert told is not None
    assert str(told).endswith("failed to map segment from shared object; need more memory (ulimit -a, free)")
    assert told.exit_code == 1
