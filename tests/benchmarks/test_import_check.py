"""The check of imported runs, on results of our own making whose figures are known by hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import import_check
from benchmarks.import_check import Checked, check, prints_alike
from benchmarks.imports.held import Weighted, statistic
from tests.sessions.interchange import made_results as made


def figure(name: str, stat: str, printed: str, **more: Any) -> dict[str, Any]:
    return {"figure": name, "stat": stat, "printed": printed, "def": "d1", **more}


def place_of(root: Path, *figures: dict[str, Any]) -> Path:
    """A run of vLLM: TTFT of 100 and 150 ms, gaps of 40, 60 and 150 ms."""
    place = root / "vllm" / "three"
    place.mkdir(parents=True)
    made.written(place / "r.json", made.vllm())
    said = {"runs": [{"file": "r.json", "figures": figures}], "definitions": {"d1": "as it is"}}
    (place / "expected.json").write_text(json.dumps(said))
    return place


def outcomes(place: Path, scratch: Path) -> list[Checked]:
    return list(check(place, "vllm", scratch))


def test_a_figure_is_computed_from_the_session_and_compared_to_the_printed_digit(tmp_path: Path) -> None:
    place = place_of(
        tmp_path / "r",
        figure("ttft", "mean", "125.00"),
        figure("itl", "p99", "148.20"),
        figure("itl", "mean", "83.34"),
        figure("completed", "count", "2"),
    )
    found = outcomes(place, tmp_path / "s")
    assert [each.outcome for each in found] == ["equal", "equal", "differs", "equal"]
    assert found[2].ours == pytest.approx(250 / 3)


def test_what_no_session_holds_is_the_tools_own_or_is_named_with_why(tmp_path: Path) -> None:
    place = place_of(
        tmp_path / "r",
        figure("max_concurrent_requests", "max", "7", key="max_concurrent_requests"),
        figure("ttft", "p99.9", "149.95", key="p99.9_ttft_ms"),
    )
    nothing, computed = outcomes(place, tmp_path / "s")
    assert (nothing.outcome, nothing.why) == ("not held", "no counterpart: as it is")
    assert computed.outcome == "equal"


def test_the_command_says_how_many_agree_and_fails_where_one_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place_of(tmp_path, figure("ttft", "mean", "125.0"))
    monkeypatch.setattr(sys, "argv", ["import_check", str(tmp_path)])
    assert import_check.main() == 0
    assert "| vllm | 1 | 1 | 1 | 0 | 0 | 0 | 0 |" in capsys.readouterr().out
    said = json.loads((tmp_path / "vllm" / "three" / "expected.json").read_text())
    said["runs"][0]["figures"][0]["printed"] = "125.1"
    (tmp_path / "vllm" / "three" / "expected.json").write_text(json.dumps(said))
    assert import_check.main() == 1
    assert "differs: vllm three: ttft mean: '125.1', 125.0" in capsys.readouterr().out


def test_a_file_that_does_not_import_is_a_difference(tmp_path: Path) -> None:
    place = place_of(tmp_path / "r", figure("ttft", "mean", "125.0"))
    (place / "r.json").write_text("nothing")
    (one,) = outcomes(place, tmp_path / "s")
    assert one.outcome == "differs"


@pytest.mark.parametrize(
    ("value", "printed", "alike"),
    [
        (1234.5, "1,234.5", True),
        (88.52, "88.5*", True),
        (0.455, "0.5", True),
        (0.44, "0.5", False),
        (1.0, "-", None),
    ],
)
def test_alike_is_within_half_a_unit_of_the_last_digit(
    value: float, printed: str, alike: bool | None
) -> None:
    assert prints_alike(value, printed) is alike


def test_each_way_to_take_a_percentile() -> None:
    values = [float(n) for n in range(1, 21)]
    assert statistic(values, "p95") == pytest.approx(19.05)  # numpy's, between two
    assert statistic(values, "p95", "nearest") == 19.0
    assert statistic(Weighted([1.0, 2.0], [1.0, 3.0]), "median", "inverse") == 2.0
    assert statistic([], "mean", "inverse") == 0.0  # as that tool writes it
    assert statistic([], "mean") is None
