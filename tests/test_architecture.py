"""Who may import whom, held by the import graph; docs/design/architecture.md says why."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("tui", "loadgen", "telemetry", "sessions")

MAY_IMPORT = {
    "tui": {"tui", "sessions", "loadgen", "telemetry"},
    "sessions": {"sessions", "loadgen", "telemetry"},
    "loadgen": {"loadgen"},
    "telemetry": {"telemetry"},
}
"""Room to the rooms that it may import."""

ONLY_IN = {
    "textual": ("tui/",),
    "rich": ("tui/",),
    "pynvml": ("telemetry/",),
    "plotext": ("tui/report/plotext_chart.py",),
    "httptools": ("loadgen/transport/",),
    "starlette": ("loadgen/simulator/",),
    "uvicorn": ("loadgen/simulator/",),
    "tomllib": (),
    "multiprocessing": (),
    "concurrent": (),
}
"""Package to the places that may import it. Every TOML read goes through tomli; processes are started with
subprocess, because a spawned one inherits what a terminal application did to its file descriptors."""

TIME_READERS = {"time", "datetime"}
MAY_READ_TIME = ("loadgen/clock.py", "loadgen/simulator/")


def sources() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def imports(source: str) -> Iterator[str]:
    """Every module that a file names in an import, at its top or inside a function."""
    for node in ast.walk(ast.parse((ROOT / source).read_text(encoding="utf-8"), source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}:{node.lineno}: imports are absolute"
            assert node.module is not None
            yield node.module


def test_there_is_something_to_check() -> None:
    assert {source.split("/")[0] for source in sources()} == set(ROOMS)


@pytest.mark.parametrize("source", sources())
def test_imports_go_one_way(source: str) -> None:
    room = source.split("/")[0]
    rooms = {module.split(".")[0] for module in imports(source)} & set(ROOMS)
    assert rooms <= MAY_IMPORT[room]


@pytest.mark.parametrize("source", sources())
def test_a_package_is_imported_only_where_it_belongs(source: str) -> None:
    strays = [
        package
        for package in {module.split(".")[0] for module in imports(source)}
        if package in ONLY_IN and not source.startswith(ONLY_IN[package])
    ]
    assert strays == []


@pytest.mark.parametrize("source", [source for source in sources() if source.startswith("loadgen/")])
def test_only_the_clock_reads_time_in_the_load_generator(source: str) -> None:
    if not source.startswith(MAY_READ_TIME):
        assert {module.split(".")[0] for module in imports(source)}.isdisjoint(TIME_READERS)


@pytest.mark.parametrize("source", [source for source in sources() if source.startswith("tui/commands/")])
def test_a_command_imports_no_screen_when_it_is_loaded(source: str) -> None:
    """Screens are imported inside functions: at the top of a module they would slow down every command."""
    tree = ast.parse((ROOT / source).read_text(encoding="utf-8"), source)
    at_the_top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {
        name
        for node in at_the_top
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    screens = ("textual", "tui.screens", "tui.plots", "tui.report.plotext_chart")
    assert [name for name in names if name.startswith(screens)] == []


@pytest.mark.parametrize(
    "module", ["sessions.run.__main__", "sessions.worker.process", "sessions.run.launch", "tui.cli"]
)
def test_what_stands_between_a_command_and_the_first_request_waits_for_no_heavy_import(module: str) -> None:
    heavy = ("numpy", "textual", "httpx", "plotext", "pynvml", "psutil")
    found = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; print(*[m for m in {heavy} if m in sys.modules])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == []


def test_a_host_is_started_by_what_imports_next_to_nothing() -> None:
    code = "import sys, sessions.run.prestart; print(*{'asyncio', 'msgspec', 'httpx', 'json'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_a_plain_url_is_read_without_a_heavy_import() -> None:
    code = "import sys; from loadgen.target.url import parse_target as p; p('http://gpu7:8000/v1'); "
    found = subprocess.run(
        [sys.executable, "-c", code + "print('httpx' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "False"


def test_the_rooms_hide_no_module_of_the_standard_library() -> None:
    """The rooms lie at the top level: a name of the standard library there would shadow it."""
    assert set(ROOMS).isdisjoint(sys.stdlib_module_names)
