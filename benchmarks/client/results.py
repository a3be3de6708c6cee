"""What was measured, in a JSON file that later runs add to: one row can be measured again alone."""

from __future__ import annotations

import json
import os
import statistics
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

Told = dict[str, Any]
Results = dict[str, Any]


def fresh(machine: dict[str, str | int]) -> Results:
    return {"machine": machine, "cases": {}, "absent": {}, "seconds": 0.0}


def load(path: Path | None, machine: dict[str, str | int]) -> Results:
    """The results so far.

    Raises:
        SystemExit: they are of another machine, or cannot be read.
    """
    if path is None or not path.exists():
        return fresh(machine)
    try:
        result: Results = json.loads(path.read_text())
        measured_on = result["machine"]
    except (ValueError, KeyError) as error:
        raise SystemExit(f"benchmark: {path} holds no results: {error!r}; --fresh starts anew") from None
    if other := [key for key, value in machine.items() if measured_on.get(key) != value]:
        raise SystemExit(
            f"benchmark: {path} is of a machine with another {', '.join(other)}; --fresh starts anew"
        )
    return result


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M")


def add(result: Results, case: str, who: str, runs: list[Told], why: str | None, began: str) -> None:
    """Puts the runs of `who` in the place of what was there; `why` says why there are none, or not all.

    `began` is when the benchmark began in which they took turns with others.
    """
    result["absent"].pop(f"{case}/{who}", None)
    result["cases"].setdefault(case, {}).pop(who, None)
    if runs:
        result["cases"][case][who] = {
            **median(runs),
            "rounds": len(runs),
            "at": began,
            "load": os.getloadavg()[0],
        }
        if noted := [run["note"] for run in runs if "note" in run]:
            result["cases"][case][who]["note"] = noted[0]
    if why is not None:
        result["absent"][f"{case}/{who}"] = why


def save(result: Results, path: Path) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(result, indent=1) + "\n")
    partial.replace(path)


def median(runs: list[Any]) -> Any:
    """Medians of numbers, key by key; None where a run has none; of other things the first."""
    first = runs[0]
    if isinstance(first, dict):
        shared = [key for key in first if all(isinstance(run, dict) and key in run for run in runs)]
        return {key: median([run[key] for run in runs]) for key in shared}
    if any(run is None for run in runs):
        return None
    if isinstance(first, (int, float)) and not isinstance(first, bool):
        return statistics.median(runs)
    return first
