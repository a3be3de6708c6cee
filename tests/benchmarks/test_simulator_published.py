"""The simulator under published loads, in virtual time: what `docs/measured/simulator_published.md` promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.simulator_published import counted, deviation, kaito_points, lambda_points, nim_points, table

PAGE = Path(__file__).parents[2] / "docs" / "measured" / "simulator_published.md"
NAMED = frozenset(
    f"1x{chip} {model}" for chip in ("H100", "A100") for model in ("Llama 3.1 8B FP8", "Mistral 7B v0.3")
)


def rows(text: str) -> list[str]:
    return text.splitlines()[2:]


def test_four_servers_of_lambda_are_within_ten_per_cent_and_one_of_them_is_predicted() -> None:
    points = list(lambda_points(NAMED))
    assert len(points) == 4
    for point in points:
        for published, simulated in point.figures.values():
            assert abs(deviation(published, simulated)) < 0.1, point
    assert [point.load for point in points if not point.fitted] == ["1xA100 Mistral 7B v0.3"]
    page = PAGE.read_text(encoding="utf-8")
    assert all(row in page for row in rows(table(points)))  # the command was run since the model changed


def test_the_page_says_how_many_of_its_own_rows_were_fitted() -> None:
    page = PAGE.read_text(encoding="utf-8")
    ends = [line.rsplit("|", 2)[1].strip() for line in page.splitlines() if line.startswith("| ")]
    fitted, predicted = ends.count("fitted"), ends.count("predicted")
    assert f"\n{counted(fitted, fitted + predicted)}\n" in page


def test_nims_knee_lies_between_50_and_100() -> None:
    points = {point.load: point.figures for point in nim_points(frozenset({25, 50, 100, 150}))}
    ttft, itl, tps = (
        {load: figures[name][1] for load, figures in points.items()}
        for name in ("TTFT ms", "ITL ms", "tokens/s")
    )
    assert ttft["50"] < 2 * ttft["25"]
    assert ttft["100"] > 5 * ttft["50"]
    assert itl["150"] == pytest.approx(itl["100"], rel=0.1)
    assert tps["150"] == pytest.approx(tps["100"], rel=0.1)
    assert tps["50"] > 1.2 * tps["25"]


def test_kaitos_break_lies_between_8_and_16_rps() -> None:
    (low, high) = (point.figures["TTFT ms"] for point in kaito_points())
    assert low[1] < 500
    assert high[1] == pytest.approx(high[0], rel=0.1)
