from __future__ import annotations

from datetime import date

import pytest

from sessions.summary import prices
from sessions.summary.prices import EXAMPLE, GpuPrice, PriceError, Prices, load

TABLE = Prices(
    (GpuPrice("H100", 3.20), GpuPrice("H100 PCIe", 2.40), GpuPrice("L4", 0.70), GpuPrice("L40S", 1.0)),
    "USD",
    "2026-11-01",
)


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
        ("currency = 'EUR'\ncurrency = 'USD'", "not TOML: Cannot overwrite a value"),
        ("a = " + "[" * 5000, "not TOML"),
        (
            'currncy = "EUR"\n[[gpu]]\nname = "a"\nper_hour = 1',
            "unknown key 'currncy', did you mean currency?",
        ),
        ("[[gpu]]\nname = 'a'\nper_hours = 1", "in [[gpu]], unknown key 'per_hours', did you mean per_hour?"),
        ("[[gpu]]\nname = 'a'\nper_hour = 1\nper_hr = 3", "unknown key 'per_hr', did you mean per_hour?"),
        ("path = '/x'\n[[gpu]]\nname = 'a'\nper_hour = 1", "unknown key 'path', need currency, dated, gpu"),
        ("[gpus]", "unknown key 'gpus', did you mean gpu?"),
        ("'\\u001b[2J' = 1", "unknown key"),
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


def test_a_table_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "prices.toml").write_text("\ufeff[[gpu]]\nname = 'H100'\nper_hour = 2\n", encoding="utf-8")
    own = load(tmp_path / "prices.toml")
    assert own is not None
    assert own.per_hour("H100") == 2.0


def test_a_table_that_is_not_there_is_one_line_that_names_the_example(tmp_path):
    with pytest.raises(PriceError, match=r"none.toml: No such file.*prices.example.toml"):
        load(tmp_path / "none.toml")


def test_a_row_is_whole_words_of_the_drivers_name_at_both_ends():
    table = Prices((GpuPrice("100", 9.0), GpuPrice("L4", 0.7), GpuPrice("RTX 6000", 1.0)))
    assert table.per_hour("NVIDIA H100 80GB HBM3") is None
    assert table.per_hour("NVIDIA L40S") is None
    assert table.per_hour("NVIDIA L4") == 0.7
    assert table.per_hour("NVIDIA RTX 6000 Ada Generation") == 1.0
