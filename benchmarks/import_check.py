"""Whether imported runs of other tools give the figures that the tools printed, to the last digit.

    python benchmarks/import_check.py RESULTS [--all]

RESULTS has a directory for each run, `TOOL/NAME/`, with the tool's files and an `expected.json`: what it
printed, as `{"runs": [{"file": ..., "line" or "benchmark": ..., "figures": [{"figure", "stat", "unit",
"printed", "def", "of", "key"}]}], "definitions": {...}}`. Each run is imported, its session read back, and
each figure computed from that by the tool's own definition. What a session cannot hold, or counts otherwise
on purpose, is listed with why. The status is 1 where a figure differs without a reason, or a run does not
import.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.imports.held import PERCENTILES, TIE, TOOLS, Weighted, statistic
from loadgen.records import Request
from sessions.interchange.documents import ImportFailed
from sessions.interchange.find_runs import find_runs
from sessions.interchange.imported_run import ImportedRun
from sessions.interchange.stored_run import StoredRun, read_run
from sessions.interchange.write_session import write_session

KNOWN = (*TOOLS, "sglang", "genai-bench", "llmperf")
_NUMBER = re.compile(r"-?\d+(?:\.(\d+))?")
_PRINTED = {"s": 1e-3, "%": 100.0, "requests/min": 60.0}
"""By what a figure of the tool is multiplied that we keep in ms, as a share, or per second."""
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Checked(NamedTuple):
    """One figure. `outcome`: `equal` (from the timeline), `kept` (the tool's own figure, equal), `differs`,
    `otherwise` (for a reason that is known), or `not held`."""

    tool: str
    run: str
    figure: str
    outcome: str
    printed: str
    ours: float | None = None
    why: str = ""


def prints_alike(value: float, printed: str) -> bool | None:
    """Whether `value` comes out as printed, within half a unit of the last digit; None of no number."""
    found = _NUMBER.match(printed.replace(",", "").replace("*", "").strip())
    if found is None:
        return None
    digits = len(found[1] or "")
    return abs(value - float(found[0])) <= 0.5 * 10.0**-digits * (1 + 1e-9) + 1e-9 * abs(value)


def check(place: Path, tool: str, scratch: Path) -> Iterator[Checked]:
    """The figures of the runs in one directory."""
    said = json.loads((place / "expected.json").read_text())
    before = 0
    for number, asked in enumerate(said["runs"]):
        name = f"{place.name} {asked.get('label') or number if len(said['runs']) > 1 else ''}".strip()
        try:
            imported = _imported(place, tool, asked)
            stored = read_run(write_session(imported, scratch, NOW))
        except ImportFailed as error:
            yield Checked(tool, name, "the run", "differs", "", why=str(error))
            continue
        if tool == "inference-perf":
            if len(said["runs"]) > 1:  # what the file says itself is of all stages
                imported.figures = []
            stored, before = _of_stage(stored, place / asked["file"], before)
        for figure in asked["figures"]:
            yield _figure(tool, name, figure, stored, imported, said.get("definitions", {}))


def _imported(place: Path, tool: str, asked: Mapping[str, Any]) -> ImportedRun:
    """Raises:
    ImportFailed: it is no result file of a tool that is known.
    """
    file = place / asked.get("summary", asked["file"])
    beside = {"evalscope": "benchmark_data.db", "inference-perf": "per_request_lifecycle_metrics.json"}
    if tool in beside and file.with_name(beside[tool]).is_file():
        file = file.with_name(beside[tool])
    runs = find_runs(file)
    at = 0 if tool == "aiperf" else asked["line"] - 1 if "line" in asked else asked.get("benchmark", 0)
    return runs[min(at, len(runs) - 1)]


def _of_stage(run: StoredRun, file: Path, before: int) -> tuple[StoredRun, int]:
    """The requests of a stage, which a file of all of them does not name: so many as its report counts."""
    count = json.loads(file.read_text())["load_summary"]["count"]
    if run.requests:
        run.requests = run.requests[before : before + count]
    return run, before + count


def _figure(
    tool: str,
    name: str,
    asked: Mapping[str, Any],
    run: StoredRun,
    imported: ImportedRun,
    definitions: Mapping[str, str],
) -> Checked:
    figure, stat, printed = asked["figure"], str(asked["stat"]), str(asked["printed"])
    label = " ".join(filter(None, (figure, stat, asked.get("of"))))
    value = _held(tool, asked, run)
    outcome = "equal"
    if value is None:
        own = {each.name: each.value for each in imported.figures}
        value = own.get(str(asked.get("key")), own.get(f"{figure}.{stat}"))
        outcome = "kept"
    if value is None:
        why = "only the tool's summary" if not run.requests else "no counterpart"
        if figure.startswith("nvidia"):
            why = "of GPU samples, which are not compared"
        definition = definitions.get(str(asked.get("def")), "")
        return Checked(
            tool, name, label, "not held", printed, why=f"{why}: {definition}" if definition else why
        )
    alike = prints_alike(value, printed)
    if alike is None:
        return Checked(tool, name, label, "not held", printed, why="printed as no number")
    if not alike and outcome == "kept":
        alike = prints_alike(value * _PRINTED.get(str(asked.get("unit")), 1.0), printed)
    if alike:
        return Checked(tool, name, label, outcome, printed, value)
    why = _known_reason(tool, asked, run, imported)
    return Checked(tool, name, label, "otherwise" if why else "differs", printed, value, why)


def _known_reason(tool: str, asked: Mapping[str, Any], run: StoredRun, imported: ImportedRun) -> str:
    """Why a figure comes out otherwise here on purpose; empty where it should not."""
    empty = sum(one.error is not None and one.error.kind == "no_tokens" for one in run.requests)
    if tool in ("evalscope", "inference-perf") and empty:
        return f"{empty} answers without a token are failures here, successes with zeros there"
    if tool == "guidellm":
        held = TOOLS[tool].get(asked["figure"])
        found = None if held is None else held(run, _of_state(run, asked.get("of")) or [])
        if isinstance(found, (list, Weighted)):
            above = statistic(found, str(asked["stat"]), "inverse", tie=-TIE)
            if above is not None and prints_alike(above, str(asked["printed"])):
                return "the share falls between two values, of which rounding takes the upper there"
        measured_s = next((each.value for each in imported.figures if each.name == "measured"), None)
        if measured_s is not None and abs(run.summary.duration_s - measured_s) > 1e-3:
            return "requests reach beyond the time that it measured, and the session spans them whole"
    return ""


def _held(tool: str, asked: Mapping[str, Any], run: StoredRun) -> float | None:
    held = TOOLS.get(tool, {}).get(asked["figure"])
    requests = _of_state(run, asked.get("of")) if tool == "guidellm" else run.requests
    if held is None or requests is None or (not run.requests and tool != "vllm"):
        return None
    if (
        not requests
        and tool != "guidellm"
        and not run.requests
        and asked["stat"] not in ("count", "value", "sum")
    ):
        return None
    try:
        found = held(run, requests)
    except ValueError:  # nothing of which a first or a last could be taken
        return None
    if found is None or not isinstance(found, (list, Weighted)):
        of_one = str(asked["stat"]) in ("value", "count", "sum", "rate", "avg", "mean", "setting")
        return found if of_one else None
    if not found and asked["figure"] == "time_per_output_token":  # of whole answers it takes the latency
        return None
    if asked["stat"] == "sum" or found or tool == "guidellm":
        return statistic(found, str(asked["stat"]), PERCENTILES.get(tool, "linear"))
    return None


def _of_state(run: StoredRun, state: str | None) -> list[Request] | None:
    """GuideLLM tells successes, failures and those that were cancelled apart."""
    every = run.requests + run.not_sent
    if state == "successful":
        return [one for one in every if one.error is None]
    if state in ("errored", "incomplete"):
        cut = state == "incomplete"
        return [one for one in every if one.error is not None and (one.error.kind == "unfinished") is cut]
    return every if state is None else None


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path)
    parser.add_argument("--all", action="store_true", help="list each figure that is not held, with its run")
    options = parser.parse_args()
    found: list[Checked] = []
    runs: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        for place in sorted(file.parent for file in options.results.glob("*/*/expected.json")):
            tool = place.parent.name
            if tool not in KNOWN:
                print(f"{tool} {place.name}: no tool that is imported")
                continue
            made = list(check(place, tool, Path(scratch)))
            runs[tool] += len({each.run for each in made})
            found += made
    outcomes = ("equal", "kept", "otherwise", "not held", "differs")
    print(
        "| tool | runs | figures | equal, from the timeline | equal, its own kept | otherwise | not held "
        "| differ |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for tool in (*runs, "all"):
        of = [each for each in found if tool in ("all", each.tool)]
        count = Counter(each.outcome for each in of)
        number = sum(runs.values()) if tool == "all" else runs[tool]
        cells = [tool, number, len(of), *(count[name] for name in outcomes)]
        print(f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else cell for cell in cells)} |")
    for each in found:
        if each.outcome == "differs" or (options.all and each.outcome in ("otherwise", "not held")):
            print(
                f"{each.outcome}: {each.tool} {each.run}: {each.figure}: {each.printed!r}, {each.ours} "
                f"{each.why}"
            )
    if not options.all:
        for outcome in ("otherwise", "not held"):
            print(f"\n{outcome}, and why:")
            of = [each for each in found if each.outcome == outcome]
            why = Counter((each.tool, each.figure.split()[0], each.why) for each in of)
            for (tool, figure, reason), count in sorted(why.items()):
                print(f"- {tool} {figure} ({count}): {reason}")
    return 1 if not found or any(each.outcome == "differs" for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())
