"""The files that a plan names, found from where the plan stands, whatever directory it is run in."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

_HISTOGRAM = "histogram:"
_LENGTHS = ("input_tokens", "output_tokens", "turns")
_OF_THE_RUN = ("prompts", "api_key_file", "ca", "cert", "cert_key")


def find_files(fields: dict[str, Any], directory: Path) -> None:
    """Makes their paths absolute, in whatever table of what TOML gave they stand."""
    if isinstance(run := fields.get("run"), dict):
        for key in _OF_THE_RUN:
            _find(run, key, directory)
        _find_histograms(run, directory)
    for name in ("stages", "mix", "presets"):
        tables = fields.get(name)
        for table in tables if isinstance(tables, list) else ():
            if isinstance(table, dict):
                _find(table, "prompts", directory)
                _find_histograms(table, directory)
                trace = table.get("trace")
                # A word may also be the name of a session.
                if isinstance(trace, str) and (os.sep in trace or os.path.lexists(directory / trace)):
                    _find(table, "trace", directory)


def _find(table: dict[str, Any], key: str, directory: Path) -> None:
    if isinstance(path := table.get(key), str) and path:
        table[key] = _absolute(directory, path)


def _find_histograms(table: dict[str, Any], directory: Path) -> None:
    def found(value: Any) -> Any:
        if isinstance(value, list):
            return [found(each) for each in value]
        if isinstance(value, str) and value.startswith(_HISTOGRAM):
            return _HISTOGRAM + _absolute(directory, value[len(_HISTOGRAM) :])
        return value

    for key in _LENGTHS:
        if key in table:
            table[key] = found(table[key])


def _absolute(directory: Path, path: str) -> str:
    with contextlib.suppress(ValueError):  # no name of a person: whoever opens the file says so
        path = os.path.expanduser(path)  # noqa: PTH111  (`Path` raises where nobody's home is known)
    return os.path.abspath(directory / path)  # noqa: PTH100  (`resolve` follows links)
