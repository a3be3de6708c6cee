"""pyproject.toml declares what is imported, and nothing else."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

import pytest
import tomli

from sessions.report.picture import RENDERER

ROOT = Path(__file__).parents[1]
ROOMS = ("loadgen", "telemetry", "sessions", "tui")
DECLARED = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TOOLS = {"ruff", "mypy", "pytest-xdist"}
"""Development packages that are commands or plug-ins, imported by nobody."""


def distribution(name: str) -> str:
    """A distribution's name in one spelling (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def installed() -> dict[str, str]:
    """Top-level modules to the distribution that brings each (Python 3.10 has only half of that ready)."""
    return {
        file.parts[0].removesuffix(".py"): name
        for name, found in [(distribution(found.metadata["Name"]), found) for found in distributions()]
        for file in found.files or []
        if file.suffix == ".py" or file.name == "py.typed"
    }


def declared(requirements: list[str]) -> set[str]:
    return {distribution(re.split(r"[^\w.-]", line)[0]) for line in requirements}


def imported(*folders: str) -> set[str]:
    """The distributions that Python files of these folders import from, at their top or inside functions."""
    modules: set[str] = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                modules.add(node.module.split(".")[0])
    own = {*ROOMS, "tests", "benchmarks"}
    brought_by = installed()
    return {
        brought_by[module] for module in modules - own - set(sys.stdlib_module_names) if module in brought_by
    }


@pytest.mark.slow
def test_what_the_packages_import_is_declared_and_what_is_declared_is_imported() -> None:
    extra = declared(DECLARED["optional-dependencies"]["ray"])
    assert imported(*ROOMS) - extra == declared(DECLARED["dependencies"])
    assert declared(DECLARED["optional-dependencies"]["png"]) == {distribution(RENDERER)}


@pytest.mark.slow
def test_what_only_tests_and_scripts_import_is_declared_for_development() -> None:
    extra = declared(DECLARED["optional-dependencies"]["dev"])
    needed = imported("tests", "scripts") - declared(DECLARED["dependencies"])
    assert needed - extra == set()
    assert extra - needed - TOOLS == set()
