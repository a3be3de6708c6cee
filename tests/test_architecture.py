"""The rules of the house, each as one test that lists what breaks it; docs/design/architecture.md says why."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from scripts import folder_graph
from scripts.folder_graph import ROOMS, ROOT, imports, trees

MAY_IMPORT = {
    "tui": {"tui", "sessions", "loadgen", "telemetry"},
    "sessions": {"sessions", "loadgen", "telemetry"},
    "loadgen": {"loadgen"},
    "telemetry": {"telemetry"},
}
"""Room to the rooms that it may import."""

ONLY_IN = {
    "textual": ("tui/screens/",),
    "rich": ("tui/",),
    "plotext": ("tui/report/plotext_chart.py",),
    "pynvml": ("telemetry/nvml/",),
    "psutil": ("telemetry/host.py",),
    "httpx": (
        "loadgen/target/",
        "loadgen/probe/",
        "loadgen/transport/httpx_adapter.py",
        "telemetry/prometheus/",
    ),
    "httptools": ("loadgen/transport/",),
    "uvloop": ("sessions/worker/",),
    "ray": ("sessions/nodes/ray/",),
    "starlette": ("loadgen/simulator/",),
    "uvicorn": ("loadgen/simulator/",),
    "time": (
        "loadgen/clock.py",
        "loadgen/simulator/",
        "telemetry/",
        "sessions/nodes/",
        "sessions/run/",
        "sessions/store/append_file.py",
        "sessions/store/directory.py",
        "sessions/store/follow.py",
        "tui/commands/",
        "tui/foreground/",
        "tui/screens/",
    ),
    "datetime": (
        "sessions/run/",
        "sessions/store/directory.py",
        "sessions/interchange/",
        "tui/commands/",
    ),
    "tomllib": (),
    "multiprocessing": (),
    "concurrent": (),
}
"""Package to the places that may import it. What folds, judges, sums up or draws reads no clock; the load generator
reads one. Every TOML read goes through tomli; processes are started with subprocess, because a spawned one inherits
what a terminal application did to its file descriptors."""

MOST_LINES = 350
HOLDS_A_TABLE = ("loadgen/endpoints/__init__.py", "tui/commands/__init__.py")
"""The two folders that are a table of their modules: a row a protocol, a row a command."""


def loaded(*steps: str, of: tuple[str, ...]) -> list[list[str]]:
    """Which of the modules `of` a fresh process has loaded after each of the steps, done one after another."""
    code = "import sys\n" + "".join(
        f"{step}\nprint(*[m for m in {of} if m in sys.modules])\n" for step in steps
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_imports_are_absolute_and_go_one_way_through_the_rooms() -> None:
    strays = [
        f"{source} imports {module}"
        for source, tree in trees().items()
        for module in imports(tree)
        if module.split(".")[0] in {"", *ROOMS} - MAY_IMPORT[source.split("/")[0]]
    ]
    assert {source.split("/")[0] for source in trees()} == set(ROOMS)
    assert strays == []


def test_folders_import_one_another_in_no_circle() -> None:
    assert folder_graph.circle(folder_graph.graph()) == []


def test_the_page_shows_the_folders_as_the_code_has_them() -> None:
    assert folder_graph.PAGE.read_text(encoding="utf-8") == folder_graph.page(), "run scripts/folder_graph.py"


def test_a_package_is_imported_only_where_it_belongs() -> None:
    strays = [
        f"{source} imports {module}"
        for source, tree in trees().items()
        for module in imports(tree)
        if not source.startswith(ONLY_IN.get(module.split(".")[0], ""))
    ]
    assert strays == []


def test_a_command_imports_no_screen_when_it_is_loaded() -> None:
    """Screens are imported inside functions: at the top of a module they would slow down every command."""
    strays = [
        f"{source} imports {module}"
        for source, tree in trees().items()
        if source.startswith("tui/commands/")
        for statement in tree.body
        if isinstance(statement, (ast.Import, ast.ImportFrom))
        for module in imports(statement)
        if module.startswith(
            ("textual", "tui.screens", "tui.views", "tui.panels", "tui.plots", "tui.report.plotext")
        )
    ]
    assert strays == []


def test_no_file_is_longer_than_one_idea_needs() -> None:
    lengths = {source: (ROOT / source).read_text(encoding="utf-8").count("\n") for source in trees()}
    assert {source: lines for source, lines in lengths.items() if lines > MOST_LINES} == {}


def test_the_init_of_a_folder_is_a_docstring_at_most() -> None:
    strays = [
        source
        for source, tree in trees().items()
        if source.endswith("__init__.py") and source not in HOLDS_A_TABLE
        if len(tree.body) > 1 or (tree.body and ast.get_docstring(tree) is None)
    ]
    assert strays == []


def test_what_stands_between_a_command_and_the_first_request_loads_nothing_heavy() -> None:
    """Step by step in one process: the start of the supervisor loads next to nothing, all of it nothing heavy."""
    next_to_nothing = ("asyncio", "msgspec", "httpx", "json")
    assert loaded("import sessions.run.prestart", of=next_to_nothing) == [[]]
    heavy = ("numpy", "textual", "httpx", "plotext", "pynvml", "psutil")
    steps = {
        "the command": "import tui.cli",
        "a plain URL is read": "from loadgen.target.url import parse_target as p; p('http://gpu7:8000/v1')",
        "its launch": "import sessions.run.launch",
        "the supervisor": "import sessions.run.__main__",
        "a load worker": "import sessions.worker.process",
    }
    found = loaded(*steps.values(), of=heavy)
    assert {step: names for step, names in zip(steps, found, strict=True) if names} == {}


def test_the_rooms_hide_no_module_of_the_standard_library() -> None:
    """The rooms lie at the top level: a name of the standard library there would shadow it."""
    assert set(ROOMS).isdisjoint(sys.stdlib_module_names)
