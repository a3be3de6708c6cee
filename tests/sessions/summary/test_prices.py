from __future__ import annotations

from datetime import date

import pytest

from sessions.summary import prices
from sessions.summary.prices import EXAMPLE, GpuPrice, PriceError, Prices, cost, load, per_million

TABLE = Prices(
    (GpuPrice("H100", 3.20), GpuPrice("H100 PCIe", 2.40), GpuPrice("L4", 0.70), GpuPrice("L40S", 1.0)),
    "USD",
    "2026-11-01",
)


def test_published_arithmetic_an_h100_at_230_tokens_a_second():
    assert per_million(3.20, 230.0) == pytest.approx(3.86, abs=0.005)
    said = cost(TABLE, ["NVIDIA H100 80GB HBM3"], 100.0, 23_000, 77_000)
    assert said is not None
    assert said["per_hour"] == 3.20
    assert said["per_million_output_tokens"] == pytest.approx(3.86, abs=0.005)
    # All tokens, 1,000 a second: 3.20 / 3600 s / 1000 per s * 1e6.
    assert said["per_million_tokens"] == pytest.approx(0.889, abs=0.0005)
    assert said["total"] == pytest.approx(3.20 * 100 / 3600)


def test_every_gpu_is_paid_for():
    said = cost(TABLE, ["NVIDIA H100 80GB HBM3"] * 8, 3600.0, 3.6e6, None)
    assert said is not None
    assert (said["gpus"], said["per_hour"], said["total"]) == (8, pytest.approx(25.6), pytest.approx(25.6))
    assert said["per_million_output_tokens"] == pytest.approx(25.6 / 3.6)
    assert said["per_million_tokens"] is None


def test_without_a_table_there_is_no_money():
    assert cost(None, ["NVIDIA H100 80GB HBM3"], 100.0, 23_000, 77_000) is None


def test_a_gpu_that_the_table_does_not_know_leaves_no_figure():
    said = cost(TABLE, ["NVIDIA H100 80GB HBM3", "Tesla T4"], 100.0, 23_000, 77_000)
    assert said is not None
    assert said["gpus_without_price"] == ["Tesla T4"]
    assert said["per_hour"] is said["total"] is said["per_million_output_tokens"] is None
    assert cost(TABLE, [], 100.0, 23_000, 77_000)["per_hour"] is None  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "price"),
    [
        ("NVIDIA H100 80GB HBM3", 3.20),
        ("NVIDIA H100 PCIe", 2.40),
        ("nvidia h100-sxm", 3.20),
        ("NVIDIA L4", 0.70),
        ("NVIDIA L40S", 1.0),
        ("NVIDIA L40", None),
        ("NVIDIA GH100X", None),
    ],
)
def test_the_longest_whole_words_that_fit_hold(name, price):
    assert TABLE.per_hour(name) == price


def test_the_example_that_ships_is_a_table_with_a_date():
    table = load(EXAMPLE)
    assert table is not None
    assert date.fromisoformat(table.dated) >= date(2026, 1, 1)
    assert table.currency == "USD"
    assert table.per_hour("NVIDIA H100 80GB HBM3") == 3.20


def test_the_example_is_never_read_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(prices, "default_path", lambda: tmp_path / "prices.toml")
    assert load() is None
    (tmp_path / "prices.toml").write_text('[[gpu]]\nname = "H100"\nper_hour = 2\n')
    own = load()
    assert own is not None
    assert (own.per_hour("H100"), own.path) == (2.0, str(tmp_path / "prices.toml"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gpu = 3", "Expected `array`"),
        ("", "missing required field `gpu`"),
        ("[[gpu]]\nname = 'H100'", "missing required field `per_hour`"),
        ("[[gpu]]\nname = 'H100'\nper_hour = 'three'", "Expected `float`"),
        ("[[gpu]]\nname = 'H100'\nper_hour = -1.0", "H100: per_hour = -1, need a price of 0 or more"),
        ("[[gpu]]\nname = 'H100'\nper_hour = nan", "need a price of 0 or more"),
        ("[[gpu]]\nname = ' '\nper_hour = 1.0", "would fit every GPU"),
        ("[[gpu", "not TOML"),
        ("#" * (300 << 10), "larger than 256 KiB"),
    ],
)
def test_a_table_that_is_none_is_one_line(tmp_path, text, said):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(PriceError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there_is_one_line_that_names_the_example(tmp_path):
    with pytest.raises(PriceError, match=r"none.toml: No such file.*prices.example.toml"):
        load(tmp_path / "none.toml")


def test_a_row_is_whole_words_of_the_drivers_name_at_both_ends():
    table = Prices((GpuPrice("100", 9.0), GpuPrice("L4", 0.7), GpuPrice("RTX 6000", 1.0)))
    assert table.per_hour("NVIDIA H100 80GB HBM3") is None
    assert table.per_hour("NVIDIA L40S") is None
    assert table.per_hour("NVIDIA L4") == 0.7
    assert table.per_hour("NVIDIA RTX 6000 Ada Generation") == 1.0
